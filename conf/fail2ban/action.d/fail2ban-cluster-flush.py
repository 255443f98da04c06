# fail2ban-cluster: when the jail [fail2ban-cluster] is made, it begins with an empty firewall.
#
# A fail2ban that was killed (kill -9, out of memory, power) leaves its bans in the firewall. The next one restores what its
# database has and doesn't know of the rest: what was lifted in between would be refused for ever. After a clean stop there
# is nothing to flush.
#
# It is done while the jail is made: an `actionstart` runs beside the commands of clients, and would flush what fail2ban-client
# bans at that moment. A reload keeps the jail, and with it what is banned.
#
# For a banaction other than those of nftables, iptables and ipset, name in jail.d/fail2ban-cluster.local what flushes it:
#
#     [fail2ban-cluster]
#     action = fail2ban-cluster-flush.py[command="the command and its words"]
#              %(action_)s

import os
import shlex
import subprocess

from fail2ban.server.action import ActionBase

# The names that fail2ban's own actions give to a jail's sets and chains.
COMMANDS = (
	"nft flush set inet f2b-table addr-set-{jail}",
	"nft flush set inet f2b-table addr6-set-{jail}",
	"iptables -w -F f2b-{jail}",
	"ip6tables -w -F f2b-{jail}",
	"ipset flush f2b-{jail}",
	"ipset flush f2b-{jail}6",
)


class FlushAction(ActionBase):
	"""Flushes what is left of the jail in the firewall, when it is made; bans nothing itself."""

	# fail2ban compares it when it repairs a damaged firewall: there is nothing of this action to repair.
	banEpoch = 0

	def __init__(self, jail, name, command=None):
		super(FlushAction, self).__init__(jail, name)
		# A reload that adds this action to a jail that runs finds bans that stand.
		if getattr(jail.actions, "active", None):
			return
		for command in COMMANDS if command is None else (command,):
			try:
				words = shlex.split(command)
			except ValueError as error:
				# Raised, it would keep fail2ban from starting the jails behind this one.
				self._logSys.error("command = %s: %s", command, error)
				continue
			self.run([word.replace("{jail}", jail.name) for word in words])

	def run(self, words):
		"""Runs a command; where there is no such program, set or chain, there is nothing to flush."""
		with open(os.devnull, "r+") as null:
			try:
				status = subprocess.call(words, stdin=null, stdout=null, stderr=null)
				self._logSys.debug("%s: exit status %s", " ".join(words), status)
			except OSError as error:
				self._logSys.debug("%s: %s", words[0], error)

	def start(self):
		pass

	def stop(self):
		pass

	def ban(self, aInfo):
		pass

	def reban(self, aInfo):
		pass

	def unban(self, aInfo):
		pass

	# With these two, fail2ban keeps this action at a reload instead of making another.

	def clearAllParams(self):
		pass

	def reload(self, **parameters):
		pass


Action = FlushAction
