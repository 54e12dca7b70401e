package diagnosis

func latencyRules() []Rule { return nil }
