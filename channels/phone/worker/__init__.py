"""The telephone worker: a program of its own, under the GNU GPL version 3 (see LICENSE beside it).

It uses pyVoIP, which is under that licence. The gateway never imports this package: it starts
``python -m channels.phone.worker`` and talks to it over a local socket.
"""
