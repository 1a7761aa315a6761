"""Cards: who handles a ticket is shown yellow when one of its limits is near, red once it is over."""
