package diagnosis

func databaseRules() []Rule {
	return []Rule{tooManyClients(), openTransaction(), blockedSession(), longStatement(), schemaDrift(), missingIndex(), invalidIndex(),
		nPlusOne(), replicationLag(), transactionIDs(), vacuum()}
}
