package diagnosis

func importRules() []Rule { return nil }
