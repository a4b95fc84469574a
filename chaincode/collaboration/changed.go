package collaboration

// What a request changes, by its noun and id: commands on the same record must not overtake each other (kernel.Changer).

// Changes implements kernel.Changer.
func (r ApproveDefinition) Changes() string { return Definitions.Noun + "/" + r.Definition }

// Changes implements kernel.Changer.
func (r Resubmit) Changes() string { return Cases.Noun + "/" + r.Case }

// Changes implements kernel.Changer.
func (r Withdraw) Changes() string { return Cases.Noun + "/" + r.Case }

// Changes implements kernel.Changer.
func (r Conclude) Changes() string { return Cases.Noun + "/" + r.Case }

// Changes implements kernel.Changer, for every act on a step.
func (r TaskRef) Changes() string { return Tasks.Noun + "/" + r.Case + "/" + r.Step }
