package wire

// addDatabase adds what looks at PostgreSQL itself: sessions, sizes, statements.
// They share the one read-only connection with the grading probe.
func (c *Cockpit) addDatabase() error {
	c.addSessions()
	return c.addStorage()
}
