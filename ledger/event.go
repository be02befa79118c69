// SPDX-License-Identifier: Apache-2.0

package ledger

import "github.com/openledger/openledger/ledger/tx"

// Sub numbers of events. 0 is the success of a transaction of that kind.
const (
	SubDone uint8 = 0

	// With kind TrainDescriptor: how a task went on.
	SubTaskDrawn   uint8 = 1 // checkers drawn
	SubTaskReveal  uint8 = 2 // commitments closed
	SubTaskSettled uint8 = 3
	SubTaskVoid    uint8 = 4
	SubTaskExpired uint8 = 5

	// With kind ChannelOpen.
	SubChannelClosed uint8 = 1

	// With kind EpochCommit.
	SubEpochSettled  uint8 = 1
	SubPendingRefund uint8 = 2

	// With kind RewardClaim, Unstake and Redelegate.
	SubValidatorsPaid uint8 = 1 // what an epoch earned went into the validators' pools
	SubUnbonded       uint8 = 1 // a stake came back
	SubHopEnded       uint8 = 1 // redelegated shares are free

	// With kind SlashEvidence.
	SubSlashed uint8 = 1
	SubJailed  uint8 = 2
)

// EventNames lists every event: its name and what its IDs and Amounts mean.
// Amounts are base units unless the name says otherwise. A list in brackets may
// have any length.
var EventNames = []struct {
	Kind    tx.Kind
	Sub     uint8
	Name    string
	IDs     string
	Amounts string
}{
	{tx.KindTransfer, SubDone, "Transfer", "from to", "amount"},
	{tx.KindFaucetDrip, SubDone, "FaucetDrip", "sender to", "amount epoch"},
	{tx.KindStake, SubDone, "Stake", "validator delegator", "amount shares rewards"},
	{tx.KindUnstake, SubDone, "Unstake", "unbonding validator delegator", "amount shares until_ms"},
	{tx.KindUnstake, SubUnbonded, "Unbonded", "unbonding validator delegator", "amount slashed"},
	{tx.KindRedelegate, SubDone, "Redelegate", "redelegation from to delegator", "amount shares until_ms"},
	{tx.KindRedelegate, SubHopEnded, "RedelegationEnded", "redelegation to delegator", "shares slashed"},
	{tx.KindValidatorRegister, SubDone, "ValidatorRegister", "validator vote_key", "self_bond commission keys_from deposit"},
	{tx.KindValidatorEdit, SubDone, "ValidatorEdit", "validator", "commission"},
	{tx.KindUnjail, SubDone, "Unjail", "validator", "epoch"},
	{tx.KindSlashEvidence, SubDone, "SlashEvidence", "reporter", "epoch view reward"},
	{tx.KindSlashEvidence, SubSlashed, "Slashed", "validator", "epoch view bps amount"},
	{tx.KindSlashEvidence, SubJailed, "Jailed", "validator", "epoch view until_epoch amount"},
	{tx.KindRewardClaim, SubDone, "RewardClaim", "validator delegator", "rewards commission"},
	{tx.KindRewardClaim, SubValidatorsPaid, "ValidatorsPaid", "[validator]", "[amount]"},
	{tx.KindValidatorReady, SubDone, "ValidatorReady", "validator", "epoch protocol"},
	{tx.KindDatasetUpload, SubDone, "DatasetUpload", "dataset owner datanet row_root", "stake deposit rows"},
	{tx.KindDatanetCreate, SubDone, "DatanetCreate", "datanet owner", "stake_base deposit"},
	{tx.KindModelManifest, SubDone, "ModelManifest", "model owner task weights_root", "stake deposit royalty"},
	{tx.KindTrainDescriptor, SubDone, "TrainDescriptor", "task requester", "price check_fee deposit"},
	{tx.KindTrainDescriptor, SubTaskDrawn, "TaskDrawn", "task [checker]", "attempt until_ms"},
	{tx.KindTrainDescriptor, SubTaskReveal, "TaskReveal", "task", "attempt until_ms"},
	{tx.KindTrainDescriptor, SubTaskSettled, "TaskSettled", "task [payee]", "[amount]"},
	{tx.KindTrainDescriptor, SubTaskVoid, "TaskVoid", "task [payee]", "[amount]"},
	{tx.KindTrainDescriptor, SubTaskExpired, "TaskExpired", "task [payee]", "[amount]"},
	{tx.KindTaskClaim, SubDone, "TaskClaim", "task operator", "until_ms"},
	{tx.KindTaskCommit, SubDone, "TaskCommit", "task operator root output_root", "segments output_bytes"},
	{tx.KindCheckCommit, SubDone, "CheckCommit", "task checker", "attempt"},
	{tx.KindCheckReveal, SubDone, "CheckReveal", "task checker root output_root", "attempt"},
	{tx.KindComputeRegister, SubDone, "ComputeRegister", "operator", "bond deposit"},
	{tx.KindOfferPost, SubDone, "OfferPost", "offer operator model", "ask deposit"},
	{tx.KindChannelOpen, SubDone, "ChannelOpen", "channel payer payee", "deposit state_deposit expiry_ms"},
	{tx.KindChannelOpen, SubChannelClosed, "ChannelClosed", "channel payer payee", "paid remainder"},
	{tx.KindChannelRedeem, SubDone, "ChannelRedeem", "channel offer operator payer", "amount epoch"},
	{tx.KindChannelClose, SubDone, "ChannelClose", "channel sender", "until_ms"},
	{tx.KindEpochCommit, SubDone, "EpochCommit", "commit operator offer", "epoch receipt_sum line_sum bond"},
	{tx.KindEpochCommit, SubEpochSettled, "EpochSettled", "commit operator trainer", "epoch gross burn treasury validators operator contributors trainer"},
	{tx.KindEpochCommit, SubPendingRefund, "PendingRefund", "operator offer [payer]", "epoch [amount]"},
	{tx.KindClaimEpoch, SubDone, "ClaimEpoch", "commit payee", "amount first last"},
	{tx.KindAttributionCommit, SubDone, "AttributionCommit", "model owner job weight_root", "w owners bond deposit"},
}

// EventName returns the name of an event, "unknown" if there is none.
func EventName(k tx.Kind, sub uint8) string {
	for i := range EventNames {
		if EventNames[i].Kind == k && EventNames[i].Sub == sub {
			return EventNames[i].Name
		}
	}
	return "unknown"
}

// Name returns EventName of e.
func (e Event) Name() string { return EventName(e.Kind, e.Sub) }
