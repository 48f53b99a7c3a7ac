package peers_test

import "github.com/serin-go/serin/internal/judgingtest"

type store = judgingtest.Store

var (
	noon, minute = judgingtest.Noon, judgingtest.Minute
	v1, v2       = judgingtest.V1, judgingtest.V2
	broken, of   = judgingtest.Broken, judgingtest.Of
)
