package diagnosis

func hostRules() []Rule { return nil }
