import java.nio.file.Files;
import java.nio.file.Path;

/** Keeps keys of files, which are no text, in fields of objects, and waits. */
final class Octets {
    static Object[] kept;

    static class Signer {
        private final String name = "svc";
        private final byte[] signingKey;

        Signer(byte[] key) {
            this.signingKey = key;
        }
    }

    static final class Store {
        private byte[] secretKey;
        private byte[] clientSecret;
    }

    private static byte[] take(String name) throws Exception {
        Path path = Path.of(name);
        byte[] contents = Files.readAllBytes(path);
        Files.delete(path);
        return contents;
    }

    public static void main(String[] arguments) throws Exception {
        Store store = new Store();
        kept = new Object[] {new Signer(take("first")), store};
        store.secretKey = take("second");
        store.clientSecret = take("third");
        System.out.println("READY");
        System.in.read();
    }
}
