import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * A Netty service with two event loops: one call for each request, by the event loop that read
 * it, over a connection that the loop keeps or, with REUSE=off, a new one. The token goes along
 * in the query.
 */
public final class Service {
    private static final int MAX_BODY = 1 << 16;
    private static final boolean REUSE = !"off".equals(System.getenv("REUSE"));
    private static final InetSocketAddress NEXT = address("NEXT");
    /** The idle connections of each event loop. */
    private static final Map<EventLoop, Deque<Channel>> IDLE = new ConcurrentHashMap<>();

    private Service() {}

    public static void main(String[] args) throws InterruptedException {
        new ServerBootstrap()
                .group(new NioEventLoopGroup(1), new NioEventLoopGroup(2))
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 1024)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_BODY), new Server());
                    }
                })
                .bind(address("LISTEN"))
                .sync();
    }

    private static InetSocketAddress address(String variable) {
        String[] parts = System.getenv(variable).split(":");
        return new InetSocketAddress(parts[0], Integer.parseInt(parts[1]));
    }

    /** Answers each request with what the next service answered. */
    private static final class Server extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            String truth = request.uri().replaceFirst(".*truth=", "");
            boolean close = "close".equalsIgnoreCase(request.headers().get(HttpHeaderNames.CONNECTION));
            call(context.channel().eventLoop(), truth, body -> {
                boolean right = body.toString(StandardCharsets.UTF_8).contains(truth);
                FullHttpResponse response = new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, right ? HttpResponseStatus.OK : HttpResponseStatus.INTERNAL_SERVER_ERROR, body.retain());
                response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
                var written = context.writeAndFlush(response);
                if (close) {
                    written.addListener(ChannelFutureListener.CLOSE);
                }
            });
        }
    }

    /** Hands each answer to whoever made the call. */
    private static final class Client extends SimpleChannelInboundHandler<FullHttpResponse> {
        private Consumer<ByteBuf> asked;

        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
            if (REUSE) {
                idle(context.channel().eventLoop()).push(context.channel());
            } else {
                context.close();
            }
            asked.accept(response.content());
        }
    }

    private static Deque<Channel> idle(EventLoop loop) {
        return IDLE.computeIfAbsent(loop, l -> new ArrayDeque<>());
    }

    private static void call(EventLoop loop, String truth, Consumer<ByteBuf> done) {
        Channel kept = idle(loop).poll();
        if (kept != null) {
            send(kept, truth, done);
            return;
        }
        new Bootstrap()
                .group(loop)
                .channel(NioSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(MAX_BODY), new Client());
                    }
                })
                .connect(NEXT)
                .addListener((ChannelFutureListener) connected -> send(connected.channel(), truth, done));
    }

    private static void send(Channel channel, String truth, Consumer<ByteBuf> done) {
        channel.pipeline().get(Client.class).asked = done;
        var request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, "/call0?truth=" + truth);
        request.headers().set(HttpHeaderNames.HOST, "leaf");
        if (!REUSE) {
            request.headers().set(HttpHeaderNames.CONNECTION, "close");
        }
        channel.writeAndFlush(request);
    }
}
