"""Messages to people outside: alarms to duty phones, answers to citizens."""
