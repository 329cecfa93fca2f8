// Connects to a local port, and waits for data that never arrives.
import java.net.Socket;

class Waiting {
    public static void main(String[] arguments) throws Exception {
        try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(arguments[0]))) {
            socket.getInputStream().read();
        }
    }
}
