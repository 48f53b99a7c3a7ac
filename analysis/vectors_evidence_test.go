package analysis_test

var evidenceKinds = map[string]compute{}
