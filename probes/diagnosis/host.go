package diagnosis

func hostRules() []Rule {
	return []Rule{databaseDown(), brokerDown(), diskFull(), diskFills(), outOfMemory(), memoryPressure(), badFolders(),
		processRestarts(), processLeak(), unreadable()}
}
