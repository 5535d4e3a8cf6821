import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Keeps secrets of files in fields of objects, as programs keep their configuration, and waits. */
final class Fields {
    static Object[] kept;

    static class Source {
        int most = 10;
        private final String user = "svc";
        private final String password;
        private final byte[] pass;

        Source(String password, String pass) {
            this.password = password;
            this.pass = pass.getBytes(StandardCharsets.US_ASCII);
        }
    }

    static final class Pool extends Source {
        boolean isOpen;
        private final Object secret;

        Pool(String password, String pass, String secret) {
            super(password, pass);
            this.secret = secret;
        }
    }

    private static String take(String name) throws Exception {
        Path path = Path.of(name);
        String contents = Files.readString(path, StandardCharsets.US_ASCII);
        Files.delete(path);
        return contents;
    }

    public static void main(String[] arguments) throws Exception {
        kept = new Object[] {new Source(take("first"), take("second")), new Pool(take("third"), take("fourth"), take("fifth"))};
        for (String argument : arguments) {
            System.gc();
        }
        System.out.println("READY");
        System.in.read();
    }
}
