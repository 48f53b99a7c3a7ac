package evidence

import "math"

// LogOdds returns the log factor of one look of the traffic split (section 7 of
// the package documentation): n requests in the canary and m elsewhere, where
// the odds may be at most theta0 : 1-theta0, against g times these odds,
//
//	ln L = n ln g - (n+m) ln(1 + theta0 (g-1))
//
// With g > 1 its expectation is at most 1 while the canary's share is at most
// theta0, with g < 1 while it is at least that.
func LogOdds(n, m, theta0, g float64) float64 {
	return n*math.Log(g) - (n+m)*math.Log1p(theta0*(g-1))
}

// LogDirichlet returns the log evidence of all requests so far, n in the canary
// and m elsewhere, against a share s that never changes and has no tolerance,
// with a beta prior of the given concentration around s (section 7; Lindon and
// Malek, arXiv 2011.03567).
func LogDirichlet(n, m, s, concentration float64) float64 {
	a, b := concentration*s, concentration*(1-s)
	return lnBeta(a+n, b+m) - lnBeta(a, b) - n*math.Log(s) - m*math.Log1p(-s)
}

// LogBlock returns the log factor of one closed block for a relative margin rho
// when the canary's rate has gamma noise of relative spread tau from block to
// block (section 2): a ratio of beta-binomial likelihoods with
//
//	a = 1/tau^2    b = (1-theta)/(theta tau^2)
//
// at theta = rho n/(rho n + m) multiplied in its odds by g, and at theta itself.
// It is 0 if an arm had no requests.
func LogBlock(l Look, rho, tau, g float64) float64 {
	l = l.clean()
	n, m := rho*l.Canary.Total, l.Baseline.Total
	if n <= 0 || m <= 0 {
		return 0
	}
	a := 1 / (tau * tau)
	log := func(odds float64) float64 { // of theta
		b := a / odds
		return lnBeta(a+l.Canary.Bad, b+l.Baseline.Bad) - lnBeta(a, b)
	}
	return log(g*n/m) - log(n/m)
}
