"""The edge: terminates client WebSockets and relays their messages to session workers."""
