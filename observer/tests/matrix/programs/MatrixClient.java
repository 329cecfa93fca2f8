// Clients of the matrix with Java: "http1" is java.net.http.HttpClient limited to HTTP/1.1, "http2" is the same with its
// defaults, which offer HTTP/2, and "url" is HttpURLConnection.
//
// Each line on standard input is a cell, which gets a client of its own. For each cell, the program prints how many
// requests succeeded.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

public final class MatrixClient {
    record Cell(String url, int times, int atOnce, int length, boolean read, int upload, boolean chunked, int pauseMs) {
        static Cell of(String line) {
            String[] words = line.split(" ");
            return new Cell(
                    words[0],
                    Integer.parseInt(words[1]),
                    Integer.parseInt(words[2]),
                    Integer.parseInt(words[3]),
                    Boolean.parseBoolean(words[4]),
                    Integer.parseInt(words[5]),
                    Boolean.parseBoolean(words[6]),
                    Integer.parseInt(words[7]));
        }

        void receive(int status, InputStream answer) throws IOException {
            if (status != 200) {
                throw new IOException("status " + status);
            }
            try (answer) {
                int received = read ? answer.readAllBytes().length : length;
                if (received != length) {
                    throw new IOException(received + " bytes of " + length);
                }
            }
        }
    }

    static Callable<Void> client(Cell cell, HttpClient client) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(cell.url));
        if (cell.chunked) {
            request.POST(HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(new byte[cell.upload])));
        } else if (cell.upload > 0) {
            request.POST(HttpRequest.BodyPublishers.ofByteArray(new byte[cell.upload]));
        }
        return () -> {
            HttpResponse<InputStream> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            cell.receive(answer.statusCode(), answer.body());
            return null;
        };
    }

    static Callable<Void> urlConnection(Cell cell) {
        return () -> {
            HttpURLConnection connection = (HttpURLConnection) new URL(cell.url).openConnection();
            if (cell.upload > 0) {
                connection.setDoOutput(true);
                if (cell.chunked) {
                    connection.setChunkedStreamingMode(0);
                } else {
                    connection.setFixedLengthStreamingMode(cell.upload);
                }
                try (var body = connection.getOutputStream()) {
                    body.write(new byte[cell.upload]);
                }
            }
            cell.receive(connection.getResponseCode(), connection.getInputStream());
            return null;
        };
    }

    static void run(Cell cell, Callable<Void> request) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(cell.atOnce);
        int rounds = cell.times / cell.atOnce;
        for (int round = 0; round < rounds; round++) {
            if (cell.pauseMs > 0 && round == rounds / 2) {
                Thread.sleep(cell.pauseMs);
            }
            List<Future<Void>> answers = new ArrayList<>();
            for (int i = 0; i < cell.atOnce; i++) {
                answers.add(threads.submit(request));
            }
            for (Future<Void> answer : answers) {
                answer.get();
            }
        }
        threads.shutdown();
    }

    /** Verifies neither certificates nor the names in them. */
    static SSLContext trusting() throws Exception {
        var trusting = new X509ExtendedTrustManager() {
            public void checkClientTrusted(X509Certificate[] chain, String type) {}

            public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

            public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

            public void checkServerTrusted(X509Certificate[] chain, String type) {}

            public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

            public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

            public X509Certificate[] getAcceptedIssuers() {
                return new X509Certificate[0];
            }
        };
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {trusting}, new SecureRandom());
        return context;
    }

    public static void main(String[] arguments) {
        int code = 0;
        try {
            serve(arguments[0]);
        } catch (Exception error) {
            error.printStackTrace();
            code = 1;
        }
        // The clients' own threads and connections would keep the process alive.
        System.exit(code);
    }

    static void serve(String kind) throws Exception {
        SSLContext context = trusting();
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
        HttpsURLConnection.setDefaultHostnameVerifier((name, session) -> true);
        var version = kind.equals("http1") ? HttpClient.Version.HTTP_1_1 : HttpClient.Version.HTTP_2;
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Cell cell = Cell.of(line);
            if (kind.equals("url")) {
                run(cell, urlConnection(cell));
            } else {
                run(cell, client(cell, HttpClient.newBuilder().version(version).sslContext(context).build()));
            }
            System.out.println(cell.times);
        }
    }
}
