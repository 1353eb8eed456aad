"""The online half: workers, clients, review queue, monitor, command line. Never imports torch."""
