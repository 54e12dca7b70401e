package diagnosis

func finalizationRules() []Rule { return nil }
