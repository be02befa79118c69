// SPDX-License-Identifier: Apache-2.0

package poa

import (
	"errors"
	"strconv"

	"github.com/openledger/openledger/internal/keys"
)

// Method names an estimator of POA section 5.
type Method string

// MethodKNN is exact KNN-Shapley over a committed training set (POA 5.1).
const MethodKNN Method = "knn/1"

// Rule is the version of the attribution rules that this build implements.
const Rule = "poa/1"

// W is the total weight of a model version, 2^40 (POA 1).
const W uint64 = 1 << 40

// Domains of attribution hashes (ENC-05).
const (
	DomainLeaf   keys.Domain = "poa-leaf"   // one leaf of a job
	DomainTotals keys.Domain = "poa-totals" // running totals after some leaves
	DomainResult keys.Domain = "poa-result" // the reduced result of a job
)

// Bounds that hold for every estimator.
const (
	MaxRows     = 1 << 22 // training or validation rows (KNN-04)
	MaxFeatures = 1 << 16 // columns of a row; keeps d² below 2^33
	MaxK        = 100     // neighbours on chain (poa.knn_k)
	MaxTop      = 16      // owners named by one receipt (RCP-01)
)

// Errors of the attribution packages. ErrInput is the parent of all.
var (
	// ErrInput reports rows or parameters no estimator accepts.
	ErrInput = errors.New("attribution input")
	// ErrRange reports a value outside the bounds of its clause.
	ErrRange = child("value out of range")
	// ErrShape reports rows of different widths, or a list of the wrong length.
	ErrShape = child("shape differs")
	// ErrEmpty reports that nothing is left to attribute to, or to judge by.
	ErrEmpty = child("no rows")
	// ErrLeaf reports leaves that do not cover the validation rows in order.
	ErrLeaf = child("leaf out of place")
	// ErrArith reports a sum that leaves its integer.
	ErrArith = child("sum overflows")
)

type childError struct{ text string }

func child(text string) error          { return &childError{text} }
func (e *childError) Error() string    { return "attribution: " + e.text }
func (e *childError) Is(to error) bool { return to == ErrInput }

// Reason says why a row or an owner gets nothing (POA 11, `why`).
type Reason uint8

// Reasons in the order of POA section 11.
const (
	ReasonNone            Reason = iota // it plays
	ReasonDuplicate                     // joined an earlier atom (ATM-03)
	ReasonLeak                          // stands on an earlier validation row (ATM-05)
	ReasonNegative                      // the owner's total is not positive (SHR-01)
	ReasonBelowResolution               // positive, but less than one of 2^40
	ReasonUnattributed                  // no owner has a positive total (SHR-03)
)

var reasonText = [...]string{
	"", "duplicate-of", "leaks-validation", "negative-total", "below-resolution", "unattributed",
}

// String returns the word that `why` prints, "" for ReasonNone.
func (r Reason) String() string {
	if int(r) < len(reasonText) {
		return reasonText[r]
	}
	return "reason-" + strconv.Itoa(int(r))
}
