package wire

// addHost adds the machine that the cockpit runs on.
func (c *Cockpit) addHost() error { return nil }
