// A program that holds a private key on its stack, and starts Crashpad's handler when it crashes, as CrashpadClient::StartHandlerAtCrash
// does on Linux: the handler is told where siginfo, context and thread of the crash are, and reads the rest from its parent.
// crashpad KEY HANDLER OPTION...
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct __attribute__((packed)) { uint64_t siginfo, context; int32_t thread; } told;
static char place[64], *handler[64];

static void crashed(int number, siginfo_t *info, void *context) {
  (void)number;
  told.siginfo = (uint64_t)(uintptr_t)info;
  told.context = (uint64_t)(uintptr_t)context;
  told.thread = (int32_t)syscall(SYS_gettid);
  pid_t child = fork();
  if (child == 0) {
    execv(handler[0], handler);
    _exit(127);
  }
  prctl(PR_SET_PTRACER, child, 0, 0, 0);
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
}

__attribute__((noinline)) static void inner(int depth, const char *path) {
  if (depth) {
    inner(depth - 1, path);
  } else {
    char key[8192];
    FILE *file = fopen(path, "r");
    key[fread(key, 1, sizeof key - 1, file)] = 0;
    *(volatile int *)0 = key[0];
  }
  __asm__ volatile("" ::: "memory");
}

int main(int count, char **arguments) {
  for (int at = 2; at < count && at < 62; at++) handler[at - 2] = arguments[at];
  snprintf(place, sizeof place, "--trace-parent-with-exception=%lu", (unsigned long)(uintptr_t)&told);
  handler[count - 2] = place;
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  inner(4, arguments[1]);
}
