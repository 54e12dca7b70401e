package diagnosis

func databaseRules() []Rule { return nil }
