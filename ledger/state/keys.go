// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// ID is an object id or another bare 32-byte value.
type ID = tx.ID

// State modules (STA-01): the first byte of every key.
const (
	modAccount     = 0x01
	modValidator   = 0x02
	modDataset     = 0x03
	modDatanet     = 0x04
	modModel       = 0x05
	modTask        = 0x06
	modCompute     = 0x07
	modChannel     = 0x08
	modEpoch       = 0x09
	modPool        = 0x0a
	modLicence     = 0x0e
	modParams      = 0x11
	modClock       = 0x12
	modAttribution = 0x13
	modDue         = 0x14
)

// key joins module, sub and key bytes.
func key(module, sub byte, parts ...[]byte) []byte {
	k := make([]byte, 2, 2+2*len(ID{}))
	k[0], k[1] = module, sub
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// Elects reports whether the value of key k can change which validators the state
// elects for the next epoch: stake, validators, parameters (CONS-39).
func Elects(k []byte) bool {
	return len(k) > 1 && (k[0] == modValidator && k[1] <= 1 || k[0] == modParams)
}

// AccountKey is the key of an Account.
func AccountKey(a keys.Address) []byte { return key(modAccount, 0, a[:]) }

// FaucetKey is the key of the last ledger epoch in which the faucet paid a.
func FaucetKey(a keys.Address) []byte { return key(modAccount, 2, a[:]) }

// ValidatorsKey is the key of the current validator set.
func ValidatorsKey() []byte { return key(modValidator, 0) }

// CandidateKey is the key of a Candidate.
func CandidateKey(a keys.Address) []byte { return key(modValidator, 1, a[:]) }

// DelegationKey is the key of what a delegator holds of a validator's pool.
func DelegationKey(validator, delegator keys.Address) []byte {
	return key(modValidator, 2, validator[:], delegator[:])
}

// UnbondingKey is the key of an Unbonding.
func UnbondingKey(id ID) []byte { return key(modValidator, 3, id[:]) }

// HopKey is the key of a Hop.
func HopKey(id ID) []byte { return key(modValidator, 4, id[:]) }

// PastSetKey is the key of the PastSet of an epoch.
func PastSetKey(epoch uint64) []byte { return key(modValidator, 5, u64(epoch)) }

// PastSetPrefix is the prefix of every PastSet; what follows is the epoch.
func PastSetPrefix() []byte { return key(modValidator, 5) }

// SetSeedKey is the key of the seed that orders the leaders of the running epoch;
// absent in the first one.
func SetSeedKey() []byte { return key(modValidator, 12) }

// UsedKeyKey maps a validator key, of whatever kind, to the account that
// registered it.
func UsedKeyKey(k []byte) []byte { return key(modValidator, 6, k) }

// CutKey is the key of the n-th econ.Cut of a validator, from 0.
func CutKey(validator keys.Address, n uint64) []byte {
	return key(modValidator, 7, validator[:], u64(n))
}

// TipsKey is the key of the tips of a validator in the running epoch.
func TipsKey(validator keys.Address) []byte { return key(modValidator, 8, validator[:]) }

// FeePotKey is the key of what the validators of the running epoch will share.
func FeePotKey() []byte { return key(modValidator, 9) }

// OffenceKey is the key of an offence that was punished.
func OffenceKey(validator keys.Address, epoch, view uint64, class byte) []byte {
	return key(modValidator, 10, validator[:], u64(epoch), u64(view), []byte{class})
}

// ConvictionKey is the key of the Conviction of a validator.
func ConvictionKey(validator keys.Address) []byte { return key(modValidator, 11, validator[:]) }

// ConvictionPrefix is the prefix of every Conviction; what follows is the
// validator.
func ConvictionPrefix() []byte { return key(modValidator, 11) }

// DatasetKey is the key of a Dataset.
func DatasetKey(id ID) []byte { return key(modDataset, 0, id[:]) }

// DatasetContentKey maps a content id to its dataset.
func DatasetContentKey(c content.ID) []byte { return key(modDataset, 1, c[:]) }

// DatasetRowsKey maps a row root to its dataset.
func DatasetRowsKey(root ID) []byte { return key(modDataset, 2, root[:]) }

// DatanetKey is the key of a Datanet.
func DatanetKey(id ID) []byte { return key(modDatanet, 0, id[:]) }

// DatanetNameKey maps a name to its Datanet.
func DatanetNameKey(name string) []byte { return key(modDatanet, 1, []byte(name)) }

// ModelKey is the key of a Model.
func ModelKey(id ID) []byte { return key(modModel, 0, id[:]) }

// ModelOfTaskKey maps a training task to the model made from it.
func ModelOfTaskKey(task ID) []byte { return key(modModel, 1, task[:]) }

// TaskKey is the key of a task.Task.
func TaskKey(id ID) []byte { return key(modTask, 0, id[:]) }

// OperatorKey is the key of an Operator.
func OperatorKey(a keys.Address) []byte { return key(modCompute, 0, a[:]) }

// OfferKey is the key of an Offer.
func OfferKey(id ID) []byte { return key(modCompute, 1, id[:]) }

// OperatorCountKey is the key of the number of operators.
func OperatorCountKey() []byte { return key(modCompute, 2) }

// ChannelKey is the key of a channel.Channel.
func ChannelKey(id ID) []byte { return key(modChannel, 0, id[:]) }

// LaneKey is the key of the channel.Lane of one offer in one channel.
func LaneKey(channel, offer ID) []byte { return key(modChannel, 1, channel[:], offer[:]) }

// CommitKey is the key of a receipt.Commit.
func CommitKey(id ID) []byte { return key(modEpoch, 0, id[:]) }

// CommitOfKey maps operator, ledger epoch and offer to their commit.
func CommitOfKey(operator keys.Address, epoch uint64, offer ID) []byte {
	return key(modEpoch, 1, operator[:], u64(epoch), offer[:])
}

// PendingKey is the key of the receipt.Pending of an operator, ledger epoch and
// offer.
func PendingKey(operator keys.Address, epoch uint64, offer ID) []byte {
	return key(modEpoch, 2, operator[:], u64(epoch), offer[:])
}

// PendingPrefix is the prefix of every receipt.Pending; what follows is operator ‖
// epoch ‖ offer.
func PendingPrefix() []byte { return key(modEpoch, 2) }

// SummaryKey is the key of the money summary of a ledger epoch (PAY-06).
func SummaryKey(epoch uint64) []byte { return key(modPool, 0, u64(epoch)) }

// ClaimedKey is the key of a 256-bit word of claim bits of a commit: bit
// index mod 256 of word ⌊index/256⌋.
func ClaimedKey(commit ID, word uint64) []byte { return key(modPool, 1, commit[:], u64(word)) }

// TermsKey is the key of licence Terms.
func TermsKey(id ID) []byte { return key(modLicence, 0, id[:]) }

// ParamsKey is the key of Params.
func ParamsKey() []byte { return key(modParams, 0) }

// ClockKey is the key of Clock.
func ClockKey() []byte { return key(modClock, 0) }

// BeaconKey is the key of the Beacon of a height.
func BeaconKey(height uint64) []byte { return key(modClock, 1, u64(height)) }

// BeaconPrefix is the prefix of every Beacon; what follows is the height.
func BeaconPrefix() []byte { return key(modClock, 1) }

// AttributionKey is the key of the Attribution of a model.
func AttributionKey(model ID) []byte { return key(modAttribution, 0, model[:]) }

// Due-queue clocks (EXE-03): what the time of an entry counts.
const (
	DueHeight byte = 0 // height at which the object began to wait for a seed (CONS-36)
	DueCTime  byte = 1 // chain milliseconds at which the entry runs
	DueEpoch  byte = 2 // epoch whose end runs the entry
)

// DueClocks lists the clocks.
var DueClocks = [...]byte{DueHeight, DueCTime, DueEpoch}

// Kinds of due-queue entries.
const (
	DueTask    byte = 1 // task.Task: its window ends
	DueChannel byte = 2 // channel.Channel: it closes
	DuePending byte = 3 // receipt.Pending: it is refunded
	DueCommit  byte = 4 // receipt.Commit: it settles
	DueUnbond  byte = 5 // Unbonding: it is paid
	DueHop     byte = 6 // Hop: it ends
)

// DueKey is the key of a due-queue entry: 14 ‖ clock ‖ time ‖ kind ‖ id. Its value
// is the empty list.
func DueKey(clock byte, at uint64, kind byte, id []byte) []byte {
	return key(modDue, clock, u64(at), []byte{kind}, id)
}

// DuePrefix is the prefix of every entry on a clock.
func DuePrefix(clock byte) []byte { return key(modDue, clock) }

// ParseDue splits a due-queue key of a clock. ok is false for a key that is none.
func ParseDue(clock byte, k []byte) (at uint64, kind byte, id []byte, ok bool) {
	const head = 2 + 8 + 1
	if len(k) <= head || k[0] != modDue || k[1] != clock {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint64(k[2:]), k[10], k[head:], true
}
