import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * A servlet in Tomcat, whose poller hands connections to a pool of threads (NIO connector): one
 * blocking call for each request. REUSE=off makes a connection for each call, by a property of
 * the JVM. The token goes along in the query.
 */
public final class Service extends HttpServlet {
    private static final String NEXT = System.getenv("NEXT");

    public static void main(String[] args) throws Exception {
        String[] listen = System.getenv("LISTEN").split(":");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(new File("tomcat").getAbsolutePath());
        Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setProperty("address", listen[0]);
        connector.setPort(Integer.parseInt(listen[1]));
        connector.setProperty("maxThreads", "64");
        connector.setProperty("acceptCount", "1024");
        connector.setProperty("maxKeepAliveRequests", "-1");
        connector.setProperty("keepAliveTimeout", "600000");
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "service", new Service());
        context.addServletMappingDecoded("/*", "service");
        tomcat.start();
        tomcat.getServer().await();
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String truth = request.getParameter("truth");
        String url = "http://" + NEXT + "/call0?truth=" + truth;
        HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        byte[] answer;
        try (var body = connection.getInputStream()) {
            answer = body.readAllBytes();
        }
        if (!new String(answer, StandardCharsets.UTF_8).contains(truth)) {
            throw new IOException(truth + " was answered with another");
        }
        response.setContentLength(answer.length);
        response.getOutputStream().write(answer);
    }
}
