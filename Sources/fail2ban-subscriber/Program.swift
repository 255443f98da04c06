// The program fail2ban-subscriber; all it does is in the library Subscriber.

import Daemon
import Subscriber

@main
enum Program {
    static func main() { SubscriberProgram.main() }
}
