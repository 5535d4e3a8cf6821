import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;

/** Keeps secrets of files as values of maps, as programs keep their configuration, and waits. */
final class Maps {
    static Object[] kept;

    private static String take(String name) throws Exception {
        Path path = Path.of(name);
        String contents = Files.readString(path, StandardCharsets.US_ASCII);
        Files.delete(path);
        return contents;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> plain = new HashMap<>();
        plain.put("host", "db.internal");
        plain.put("DB_PASSWORD", take("first"));
        for (int i = 0; i < 1000; i++) {
            plain.put("option" + i, "value" + i);
        }
        Map<String, Object> linked = new LinkedHashMap<>(Map.of("password", take("second")));
        Map<String, Object> concurrent = new ConcurrentHashMap<>(Map.of("apiToken", take("third")));
        Properties properties = new Properties();
        properties.load(new StringReader("user=svc\nspring.datasource.password=" + take("fourth") + "\n"));
        Map<String, Object> table = new Hashtable<>(Map.of("secret_key", take("fifth")));
        kept = new Object[] {plain, linked, concurrent, properties, table};
        for (String argument : arguments) {
            System.gc();
        }
        System.out.println("READY");
        System.in.read();
    }
}
