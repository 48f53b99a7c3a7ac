package evidence_test

import "math"

// The mixtures of Howard, Ramdas, McAuliffe and Sekhon 2021 (arXiv 1810.08240,
// section 3). Each returns a log e-value of a sum s of centred observations with
// intrinsic time v, and is tuned: the bound that it implies at level alphaOpt is
// narrowest near vOpt.

// normalRho is the variance of the tuned two-sided normal mixture,
// vOpt / (2 ln(1/alpha) + ln(1 + 2 ln(1/alpha))); of the one-sided at 2 alpha.
func normalRho(vOpt, alpha float64) float64 {
	l := -2 * math.Log(alpha)
	return vOpt / (l + math.Log1p(l))
}

// normalMixture is the two-sided normal mixture:
// ln(rho/(v+rho))/2 + s^2/(2(v+rho)).
func normalMixture(s, v, rho float64) float64 {
	return -math.Log1p(v/rho)/2 + s*s/(2*(v+rho))
}

// normalBound is the s at which the two-sided normal mixture reaches 1/alpha:
// sqrt((v+rho) (ln(1+v/rho) + 2 ln(1/alpha))).
func normalBound(v, rho, alpha float64) float64 {
	return math.Sqrt((v + rho) * (math.Log1p(v/rho) - 2*math.Log(alpha)))
}

// oneSidedNormalMixture is the normal mixture over positive means:
// ln(4 rho/(v+rho))/2 + s^2/(2(v+rho)) + ln Phi(s/sqrt(v+rho)).
func oneSidedNormalMixture(s, v, rho float64) float64 {
	z := s / math.Sqrt(v+rho)
	return normalMixture(s, v, rho) + math.Log(math.Erfc(-z/math.Sqrt2))
}

// gammaPoissonMixture is for observations with a Poisson-like right tail of scale c
// (their moment generating function is at most that of a centred Poisson count in
// units of c).
func gammaPoissonMixture(s, v, vOpt, c, alphaOpt float64) float64 {
	prior := normalRho(vOpt, 2*alphaOpt) / (c * c)
	time := v / (c * c)
	return logUpperGamma(s/c+time+prior, time+prior) - (s/c+time+prior)*math.Log(time+prior) + time -
		(logUpperGamma(prior, prior) - prior*math.Log(prior))
}

// betaBinomialMixture is for observations within -g and h of their mean.
func betaBinomialMixture(s, v, vOpt, g, h, alphaOpt float64, oneSided bool) float64 {
	rho := normalRho(vOpt, alphaOpt)
	if oneSided {
		rho = normalRho(vOpt, 2*alphaOpt)
	}
	r := max(rho-g*h, 1e-3*g*h)
	at := func(up, down float64) float64 {
		if oneSided {
			return logUpperBeta(up, down, g/(g+h))
		}
		return logBeta(up, down)
	}
	up, down := (v+h*s)/(h*(g+h)), (v-g*s)/(g*(g+h))
	a, b := r/(h*(g+h)), r/(g*(g+h))
	return v/(g*h)*math.Log(g+h) - up*math.Log(g) - down*math.Log(h) + at(a+up, b+down) - at(a, b)
}

// howardCS is the confidence sequence for a share from x of n, by the two-sided
// beta-binomial mixture that is tuned at each share p for the time tOpt p (1-p).
func howardCS(x, n, alpha, tOpt float64) (lower, upper float64) {
	excluded := func(p float64) bool {
		v := p * (1 - p)
		return betaBinomialMixture(x-n*p, n*v, tOpt*v, p, 1-p, 0.05, false) >= -math.Log(alpha)
	}
	share := x / n
	upper = 1
	if x > 0 {
		lower = root(0, share, excluded)
	}
	if x < n {
		upper = root(share, 1, func(p float64) bool { return !excluded(p) })
	}
	return lower, upper
}

func logGamma(a float64) float64 {
	v, _ := math.Lgamma(a)
	return v
}

func logBeta(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }

// logUpperGamma is the log of the incomplete gamma function, the integral of
// t^(a-1) e^-t from x. Below the mean it is the complement of the power series,
// above a continued fraction.
func logUpperGamma(a, x float64) float64 {
	front := a*math.Log(x) - x
	if x < a+1 {
		sum, term := 0.0, 1/a
		for k := 1.0; term > 1e-17*sum; k++ {
			sum += term
			term *= x / (a + k)
		}
		return logGamma(a) + math.Log1p(-math.Exp(front-logGamma(a))*sum)
	}
	return front + math.Log(fraction(func(k int) (float64, float64) {
		if k == 0 {
			return 1, x + 1 - a
		}
		i := float64(k)
		return i * (a - i), x + 1 - a + 2*i
	}))
}

// logUpperBeta is the log of the incomplete beta function, the integral of
// t^(a-1) (1-t)^(b-1) from x to 1, by the continued fraction on the side where it
// converges fast.
func logUpperBeta(a, b, x float64) float64 {
	front := a*math.Log(x) + b*math.Log1p(-x)
	if x > (a+1)/(a+b+2) {
		return front - math.Log(b) + math.Log(betaFraction(b, a, 1-x))
	}
	below := math.Exp(front-logBeta(a, b)) / a * betaFraction(a, b, x)
	return logBeta(a, b) + math.Log1p(-below)
}

func betaFraction(a, b, x float64) float64 {
	return fraction(func(k int) (float64, float64) {
		m := float64(k / 2)
		switch {
		case k == 0:
			return 1, 1
		case k%2 == 0:
			return m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), 1
		}
		return -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)), 1
	})
}

// fraction evaluates a0/(b0 + a1/(b1 + ...)) by Lentz's method.
func fraction(part func(k int) (a, b float64)) float64 {
	const tiny = 1e-300
	f, c, d := tiny, tiny, 0.0
	for k := range 100000 {
		a, b := part(k)
		d = 1 / nonzero(b+a*d, tiny)
		c = nonzero(b+a/c, tiny)
		f *= c * d
		if k > 0 && math.Abs(c*d-1) < 1e-16 {
			break
		}
	}
	return f
}

func nonzero(v, tiny float64) float64 {
	if v == 0 {
		return tiny
	}
	return v
}
