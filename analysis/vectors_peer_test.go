package analysis_test

var peerKinds = map[string]compute{}
