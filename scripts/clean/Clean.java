// A process of Java without secrets: a server of the JDK, a client, TLS and regular expressions loaded, data in memory.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;

public class Clean {
    static final List<String> KEPT = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (int n = 0; n < 400000; n++) {
            KEPT.add("row " + n + " " + HexFormat.of().formatHex(digest.digest(Integer.toString(n).getBytes())));
        }
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = String.join("\n", KEPT.subList(0, 20000)).getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        SSLContext.getDefault().getSupportedSSLParameters().getProtocols();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/")).build();
        String body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        KEPT.addAll(Pattern.compile("\n").splitAsStream(body).toList());
        System.out.println("ready");
        Thread.sleep(Long.MAX_VALUE);
    }
}
