package analysis_test

var displayKinds = map[string]compute{}
