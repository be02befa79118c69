// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"errors"
	"fmt"
)

// Code says why a transaction was refused. Numbers and names are stable for life
// (LEDGER section 2). A Code is an error, so errors.Is(err, tx.TxFunds) works on
// every error of this package and of ledger/exec. 0 is success.
type Code uint16

// The codes.
const (
	OK Code = 0

	EncNonCanonical Code = 1001
	EncSize         Code = 1002
	EncKind         Code = 1003
	EncField        Code = 1004
	EncOrder        Code = 1005
	EncSig          Code = 1006
	EncDomain       Code = 1007

	TxNonceLow  Code = 1101
	TxExpired   Code = 1102
	TxReveal    Code = 1103
	TxFeeLow    Code = 1104
	TxFunds     Code = 1105
	TxDelegate  Code = 1106
	TxSponsor   Code = 1107
	TxArith     Code = 1108
	TxInvariant Code = 1109

	TxNonceGap Code = 1201
	TxNotYet   Code = 1202
	TxPaused   Code = 1203

	ObjUnknown      Code = 2001
	ObjExists       Code = 2002
	ObjOwner        Code = 2003
	ObjPhase        Code = 2004
	ObjWindowClosed Code = 2005
	ObjWindowOpen   Code = 2006
	ObjLimit        Code = 2007
	ObjDeposit      Code = 2008

	StkBondLow       Code = 2101
	StkJailed        Code = 2102
	StkPop           Code = 2103
	StkKeyUsed       Code = 2104
	StkRedelegateHop Code = 2105
	StkEvidenceOld   Code = 2106
	StkEvidenceUsed  Code = 2107
	StkEvidenceBad   Code = 2108

	DatGate      Code = 2201
	DatDuplicate Code = 2202
	DatStakeLow  Code = 2203

	LicTerms   Code = 2403
	LicPurpose Code = 2405

	TskEscrow     Code = 2501
	TskBond       Code = 2502
	TskPhase      Code = 2503
	TskProof      Code = 2504
	TskNotDrawn   Code = 2505
	TskCommitHash Code = 2506

	ChnVoucherSig Code = 2601
	ChnCumLow     Code = 2602
	ChnCumOver    Code = 2603
	ChnLane       Code = 2604
	ChnPreimage   Code = 2605
	ChnPayWord    Code = 2606
	ChnWindow     Code = 2607

	RcpSum     Code = 2701
	RcpBond    Code = 2702
	RcpSample  Code = 2703
	RcpRange   Code = 2704
	RcpClaimed Code = 2705

	PoaJobUnknown   Code = 3001
	PoaRuleInactive Code = 3003
	PoaSumMismatch  Code = 3004
	PoaParamsSize   Code = 3005
	PoaNoMethod     Code = 3006
)

// Codes lists every code with its name and one sentence for people, ascending.
var Codes = []struct {
	Code Code
	Name string
	Text string
}{
	{EncNonCanonical, "enc_noncanonical", "the bytes are not the one canonical encoding"},
	{EncSize, "enc_size", "the transaction is larger than 64 KiB"},
	{EncKind, "enc_kind", "the transaction kind is unknown"},
	{EncField, "enc_field", "a field is out of its bounds"},
	{EncOrder, "enc_order", "a list that means a set is not strictly ascending"},
	{EncSig, "enc_sig", "a signature is missing or wrong"},
	{EncDomain, "enc_domain", "the bytes belong to another domain or chain"},
	{TxNonceLow, "tx_nonce_low", "the account has already used this nonce"},
	{TxExpired, "tx_expired", "valid_until has passed or lies too far ahead"},
	{TxReveal, "tx_reveal", "the transaction does not reveal the keys of its sender"},
	{TxFeeLow, "tx_fee_low", "max_fee does not cover the fee at the current base fee"},
	{TxFunds, "tx_funds", "the account has not enough free balance"},
	{TxDelegate, "tx_delegate", "delegate keys are not accepted"},
	{TxSponsor, "tx_sponsor", "sponsors are not accepted"},
	{TxArith, "tx_arith", "an amount overflows"},
	{TxInvariant, "tx_invariant", "the effects would break an invariant"},
	{TxNonceGap, "tx_nonce_gap", "an earlier transaction of the account is missing"},
	{TxNotYet, "tx_not_yet", "the block is full"},
	{TxPaused, "tx_paused", "this family of transactions is paused"},
	{ObjUnknown, "obj_unknown", "no such object"},
	{ObjExists, "obj_exists", "the object exists already"},
	{ObjOwner, "obj_owner", "the sender does not own the object"},
	{ObjPhase, "obj_phase", "the object is not in the phase for this"},
	{ObjWindowClosed, "obj_window_closed", "the window has closed"},
	{ObjWindowOpen, "obj_window_open", "the window is still open"},
	{ObjLimit, "obj_limit", "a limit on the number of objects is reached"},
	{ObjDeposit, "obj_deposit", "the free balance does not cover the state deposit"},
	{StkBondLow, "stk_bond_low", "the bond is below the minimum"},
	{StkJailed, "stk_jailed", "the validator is jailed or removed"},
	{StkPop, "stk_pop", "a validator key is not proven"},
	{StkKeyUsed, "stk_key_used", "a validator key was registered before"},
	{StkRedelegateHop, "stk_redelegate_hop", "the stake came by a redelegation whose time is not over"},
	{StkEvidenceOld, "stk_evidence_old", "the epoch of the evidence is too long ago or not known"},
	{StkEvidenceUsed, "stk_evidence_used", "the offences were punished before"},
	{StkEvidenceBad, "stk_evidence_bad", "the evidence convicts nobody"},
	{DatGate, "dat_gate", "the Datanet does not admit this"},
	{DatDuplicate, "dat_duplicate", "this content is registered already"},
	{DatStakeLow, "dat_stake_low", "the stake is below the minimum"},
	{LicTerms, "lic_terms", "the terms are unknown or not allowed here"},
	{LicPurpose, "lic_purpose", "the terms do not permit this use"},
	{TskEscrow, "tsk_escrow", "the free balance does not cover the escrow"},
	{TskBond, "tsk_bond", "the account is not a registered operator"},
	{TskPhase, "tsk_phase", "the task is not in the phase for this"},
	{TskProof, "tsk_proof", "the roots do not belong to this task"},
	{TskNotDrawn, "tsk_not_drawn", "the account was not drawn as a checker"},
	{TskCommitHash, "tsk_commit_hash", "the reveal does not match the commitment"},
	{ChnVoucherSig, "chn_voucher_sig", "a voucher is malformed or not signed by the payer"},
	{ChnCumLow, "chn_cum_low", "a voucher adds nothing to what was redeemed"},
	{ChnCumOver, "chn_cum_over", "the vouchers exceed the deposit"},
	{ChnLane, "chn_lane", "there is no lane for this offer"},
	{ChnPreimage, "chn_preimage", "a condition is not met"},
	{ChnPayWord, "chn_payword", "a PayWord step does not lead to its anchor"},
	{ChnWindow, "chn_window", "the channel's times are out of bounds or over"},
	{RcpSum, "rcp_sum", "a sum exceeds what is pending"},
	{RcpBond, "rcp_bond", "the bond is below a sixteenth of the sum"},
	{RcpSample, "rcp_sample", "a sampled leaf is missing or wrong"},
	{RcpRange, "rcp_range", "the range proof does not lead to the root"},
	{RcpClaimed, "rcp_claimed", "the lines are claimed already"},
	{PoaJobUnknown, "poa_job_unknown", "the job is unknown, not settled or of another model"},
	{PoaRuleInactive, "poa_rule_inactive", "the attribution rule is not active"},
	{PoaSumMismatch, "poa_sum_mismatch", "the weights do not match the job's result"},
	{PoaParamsSize, "poa_params_size", "the parameters are larger than 2 KiB"},
	{PoaNoMethod, "poa_no_method", "the model's answers are attributed to nobody, so they cannot be sold"},
}

// String returns the stable name, "ok" for 0.
func (c Code) String() string {
	if c == OK {
		return "ok"
	}
	for i := range Codes {
		if Codes[i].Code == c {
			return Codes[i].Name
		}
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Text returns one sentence for people.
func (c Code) Text() string {
	for i := range Codes {
		if Codes[i].Code == c {
			return Codes[i].Text
		}
	}
	return "no error"
}

// Error implements error with the name and the sentence.
func (c Code) Error() string { return c.String() + ": " + c.Text() }

// Errors that answer the policy question of a relaying peer (LEDGER section 2).
var (
	// ErrInvalid marks a transaction that can never be valid: drop it and
	// penalise the peer that sent it.
	ErrInvalid = errors.New("invalid transaction")
	// ErrFuture marks a transaction that may become valid: keep it.
	ErrFuture = errors.New("transaction not yet valid")
)

// Is makes errors.Is(code, ErrInvalid) and errors.Is(code, ErrFuture) work.
func (c Code) Is(target error) bool {
	switch target {
	case ErrInvalid:
		return c >= 1000 && c < 1100
	case ErrFuture:
		return c >= 1200 && c < 1300
	}
	return false
}

// Error is a refusal with its code and the values at stake.
type Error struct {
	Code   Code
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return e.Code.String() + ": " + e.Detail }

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

// Errorf makes a refusal.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of err: OK for nil, EncField for an error without one.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var c Code
	if errors.As(err, &c) {
		return c
	}
	return EncField
}
