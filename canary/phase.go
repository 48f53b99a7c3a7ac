package canary

// Phase is where a rollout is in its life. The zero value is a rollout that
// has not begun.
type Phase uint8

// The phases. Promoted, Discarded and RolledBack are final.
const (
	Idle            Phase = iota // not begun
	Preparing                    // stable has everything; the canary is being made ready
	Progressing                  // in one of the plan's steps
	Retreating                   // stable has everything for a while; the step goes on later
	CompletingShift              // the steps are done; the canary gets everything
	PromotingStable              // the canary has everything; stable is brought to its version
	Returning                    // traffic goes back to stable, as planned
	Baking                       // done but for the bake time, in which a roll back is one command
	RestoringStable              // the canary has everything; stable is brought back to its old version
	RollingBack                  // traffic goes back to stable, because of a failure
	CleaningUp                   // what stood for the canary is taken down
	Promoted                     // done: the new version serves
	Discarded                    // done: the canary was tried and taken out, as planned
	RolledBack                   // done: the old version serves
)

var phaseNames = [...]string{
	"Idle", "Preparing", "Progressing", "Retreating", "CompletingShift", "PromotingStable", "Returning", "Baking",
	"RestoringStable", "RollingBack", "CleaningUp", "Promoted", "Discarded", "RolledBack",
}

// String returns the name of the phase as it stands in an encoded State.
func (p Phase) String() string { return nameOf("Phase", phaseNames[:], p) }

// Final reports whether the rollout is over.
func (p Phase) Final() bool { return p.row().final }

// gated reports whether gates may still be ahead.
func (p Phase) gated() bool { return p == Preparing || p == Progressing || p == Retreating }

// MarshalText implements [encoding.TextMarshaler].
func (p Phase) MarshalText() ([]byte, error) { return marshalName("phase", phaseNames[:], p) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Phase) UnmarshalText(text []byte) error {
	return unmarshalName("phase", phaseNames[:], text, p)
}

// share is whose the live traffic is in a phase.
type share uint8

const (
	ofStep    share = iota // as the step says
	ofStable               // all is stable's
	ofCanary               // all is the canary's
	ofOutcome              // as the outcome says
)

// ends is a set of EndKinds.
type ends uint8

const (
	endsStay    ends = 1 << Stay
	endsPromote ends = 1 << PromoteStable
	endsDiscard ends = 1 << Discard
	endsAll          = endsStay | endsPromote | endsDiscard
)

// row is what a phase is: who gets the traffic, what is asked, which phase
// follows a yes, and what a command or a failure may do in it.
type row struct {
	ends    ends  // of the plans that know it
	traffic share //
	final   bool  //
	asks    ask   // whose yes it waits for once its traffic is seen
	waits   Cause // why it stays until then
	judged  bool  // a failing canary turns it back
	// then is what follows, by the plan's end. Nothing is a phase to be worked
	// out: the outcome.
	then [3]Phase
	// moved: stable may run another version than before the rollout.
	moved bool
	// back: it leads back already.
	back bool
	// pausable: it can be kept from being left.
	pausable bool
	// bare: header routes that stood are gone.
	bare bool
}

// phases are the rows of the table.
var phases = [...]row{
	Idle:            {ends: endsAll, bare: true},
	Preparing:       {ends: endsAll, traffic: ofStable, pausable: true},
	Progressing:     {ends: endsAll, traffic: ofStep, judged: true, pausable: true},
	Retreating:      {ends: endsAll, traffic: ofStable, pausable: true},
	CompletingShift: {ends: endsStay | endsPromote, traffic: ofCanary, judged: true, pausable: true, then: [3]Phase{Stay: Baking, PromoteStable: PromotingStable}},
	PromotingStable: {ends: endsPromote, traffic: ofCanary, asks: askPromoted, waits: CausePromoting, judged: true, moved: true, pausable: true, then: [3]Phase{PromoteStable: Returning}},
	Returning:       {ends: endsPromote | endsDiscard, traffic: ofStable, moved: true, then: [3]Phase{PromoteStable: Baking, Discard: CleaningUp}},
	Baking:          {ends: endsStay | endsPromote, traffic: ofOutcome, moved: true, then: [3]Phase{Stay: CleaningUp, PromoteStable: CleaningUp}},
	RestoringStable: {ends: endsPromote, traffic: ofCanary, asks: askRestored, waits: CauseRestoring, back: true, then: [3]Phase{PromoteStable: RollingBack}},
	RollingBack:     {ends: endsAll, traffic: ofStable, back: true, then: [3]Phase{Stay: CleaningUp, PromoteStable: CleaningUp, Discard: CleaningUp}},
	CleaningUp:      {ends: endsAll, traffic: ofOutcome, asks: askRemoved, waits: CauseRemoving, back: true, bare: true},
	Promoted:        {ends: endsStay | endsPromote, traffic: ofOutcome, final: true, bare: true},
	Discarded:       {ends: endsDiscard, traffic: ofStable, final: true, bare: true},
	RolledBack:      {ends: endsAll, traffic: ofStable, final: true, bare: true},
}

// row returns what p is; an unknown phase is nothing.
func (p Phase) row() *row {
	if int(p) >= len(phases) {
		return &phases[Idle]
	}
	return &phases[p]
}
