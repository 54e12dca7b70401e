package tui

import "gradecockpit/tui/internal/sample"

const triedAgain = "It is tried again."

func situations() []sample.Situation { return sample.Situations(sample.Broker, triedAgain) }
