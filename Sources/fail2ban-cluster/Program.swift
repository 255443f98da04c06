// The operator's command: the program `fail2ban-cluster`.

import Operator

@main struct Program {
    static func main() { OperatorProgram.main() }
}
