// The program fail2ban-monitor; all it does is in the library Monitor.

import Daemon
import Monitor

@main
enum Program {
    static func main() { MonitorProgram.main() }
}
