// A program that holds a private key on its stack and a password in what it tells sentry-native, and crashes.
// sentry-native KEY DSN DATABASE URL ATTACHMENT
#include <sentry.h>
#include <stdio.h>

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
  (void)count;
  sentry_options_t *options = sentry_options_new();
  sentry_options_set_dsn(options, arguments[2]);
  sentry_options_set_database_path(options, arguments[3]);
  sentry_options_add_attachment(options, arguments[5]);
  sentry_init(options);
  sentry_set_tag("database", arguments[4]);
  sentry_value_t crumb = sentry_value_new_breadcrumb("default", arguments[4]);
  sentry_add_breadcrumb(crumb);
  inner(4, arguments[1]);
}
