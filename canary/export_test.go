package canary

// The engine, for tests from outside.
type (
	Clock       = clock
	Block       = block
	Blocks      = blocks
	Judgement   = judgement
	Observation = observation
	Decision    = decision
	Ask         = ask
)

const (
	AskNothing = askNothing
	AskReady   = askReady
	AskJudge   = askJudge
	Removed    = removed
)

func (p Plan) Next(s State, o Observation) (State, Decision) { return p.next(s, o) }
