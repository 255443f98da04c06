// The program fail2ban-publisher; all it does is in the library Publisher.

import Daemon
import Publisher

@main
enum Program {
    static func main() { PublisherProgram.main() }
}
