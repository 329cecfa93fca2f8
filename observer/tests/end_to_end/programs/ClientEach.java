// Sends GET requests for a URL, each with a new client. All clients and their connections stay open until the end.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;

class ClientEach {
    public static void main(String[] arguments) throws Exception {
        List<HttpClient> clients = new ArrayList<>();
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0])).build();
        for (int left = Integer.parseInt(arguments[1]); left > 0; left--) {
            HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            client.send(request, BodyHandlers.ofString());
            clients.add(client);
        }
        // Long enough for the runtime to be recognised as Java.
        Thread.sleep(1500);
        // The clients' own threads would keep the process running.
        System.exit(clients.size() == Integer.parseInt(arguments[1]) ? 0 : 1);
    }
}
