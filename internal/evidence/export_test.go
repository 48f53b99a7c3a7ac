package evidence

// Parts returns what a ReachTest allows at a share, and both of its processes.
func (t *ReachTest) Parts(share float64) (p0, few, unreached float64) {
	p0, _ = t.allowed(share)
	return p0, t.few.logE(), t.unreached.logE()
}
