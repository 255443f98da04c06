// What `check` makes of the daemons' own checks, of fail2ban's answers, and of all of it together.

import Daemon
import Testing
import Wire

@testable import Operator

@Suite struct CheckReportTests {
    @Test func whatAChecksProgramPrintsIsReadAsFindings() {
        let text = "fail2ban-monitor: problem: no key. run: keygen\nfail2ban-monitor: can start; read /x\nTraceback\n"
        #expect(
            DaemonCheck.findings(in: text, "fail2ban-monitor") == [
                Finding(.problem, "fail2ban-monitor: no key. run: keygen"), Finding(.note, "fail2ban-monitor: can start; read /x"),
                Finding(.note, "fail2ban-monitor: Traceback"),
            ])
    }

    @Test func theLastLineSaysHowBadItIs() {
        let warning = Finding(.warning, "fail2ban is slow")
        let problem = Finding(.problem, "no key", hint: "run keygen")
        #expect(
            CheckReport(ok: true, findings: [Finding(.note, "well")]).text
                == "note: well\nnothing keeps this host from working in the cluster\n")
        #expect(CheckReport(ok: true, findings: [warning, warning]).text.hasSuffix("\nno problem, 2 warnings\n"))
        #expect(
            CheckReport(ok: false, findings: [warning, problem]).text == """
                warning: fail2ban is slow
                problem: no key. run keygen
                1 problem: this host does not work in the cluster as it should

                """)
    }

    @Test(arguments: [
        (
            "The jail fail2ban-cluster has the following actions:\nfail2ban-cluster-flush, nftables-allports\n",
            ["fail2ban-cluster-flush", "nftables-allports"]
        ),
        ("warning: old\nThe jail x has the following actions:\niptables-allports\n", ["iptables-allports"]),
        ("No actions for jail fail2ban-cluster\n", []), ("", []),
    ])
    func theJailsActionsAreReadFromFail2bansAnswer(_ text: String, _ names: [String]) {
        #expect(Fail2banCheck.actions(in: Array(text.utf8)) == names)
    }

    @Test func aJailThatBansNothingIsAProblemAndOneThatIsNotFlushedAWarning() {
        func findings(_ actions: String...) -> [Finding.Severity] { Fail2banCheck.findings(actions: actions, of: .cluster).map(\.severity) }
        #expect(findings(Fail2banCheck.flush, "nftables-allports").isEmpty)
        #expect(findings("nftables-allports") == [.warning])
        #expect(findings(Fail2banCheck.flush) == [.problem])
        #expect(findings() == [.problem, .warning])
    }
}
