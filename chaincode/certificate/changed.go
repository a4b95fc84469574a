package certificate

// What a request changes, by its noun and id: commands on the same record must not overtake each other (kernel.Changer).

// Changes implements kernel.Changer.
func (r WithdrawAccreditation) Changes() string {
	return Accreditations.Noun + "/" + r.Type + "/" + r.Agency
}

// Changes implements kernel.Changer.
func (r Change) Changes() string { return Certificates.Noun + "/" + r.Certificate }
