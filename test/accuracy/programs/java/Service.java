import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * A Java service: com.sun.net.httpserver, whose handlers run in a fixed pool of threads. What a
 * request does is its SHAPE:
 *
 * <ul>
 *   <li>executor: the handler's thread makes a blocking call
 *   <li>handoff: a thread of a second pool does, and the handler's waits for its Future
 *   <li>async: HttpClient.sendAsync; whoever completes it writes the response
 * </ul>
 *
 * REUSE=off makes a connection for each call. The token goes along in the query.
 */
public final class Service {
    private static final int HANDLERS = 64;
    private static final int CALLERS = 32;
    private static final String NEXT = System.getenv("NEXT");
    private static final ExecutorService POOL = Executors.newFixedThreadPool(CALLERS);
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private Service() {}

    public static void main(String[] args) throws IOException {
        String[] listen = System.getenv("LISTEN").split(":");
        HttpServer server = HttpServer.create(new InetSocketAddress(listen[0], Integer.parseInt(listen[1])), 1024);
        server.setExecutor(Executors.newFixedThreadPool(HANDLERS));
        server.createContext("/", Service::serve);
        server.start();
    }

    private static void serve(HttpExchange exchange) throws IOException {
        String truth = exchange.getRequestURI().getQuery().replaceFirst("^truth=", "");
        String url = "http://" + NEXT + "/call0?truth=" + truth;
        switch (System.getenv("SHAPE")) {
            case "executor" -> answer(exchange, truth, blocking(url));
            case "handoff" -> {
                Future<String> body = POOL.submit(() -> blocking(url));
                try {
                    answer(exchange, truth, body.get());
                } catch (Exception e) {
                    throw new IOException(e);
                }
            }
            case "async" -> CLIENT.sendAsync(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString())
                    .whenComplete((response, failure) -> {
                        try {
                            answer(exchange, truth, failure == null ? response.body() : failure.toString());
                        } catch (IOException e) {
                            e.printStackTrace();
                        }
                    });
            default -> throw new IllegalStateException("SHAPE");
        }
    }

    private static String blocking(String url) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        try (var body = connection.getInputStream()) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void answer(HttpExchange exchange, String truth, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(body.contains(truth) ? 200 : 500, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
