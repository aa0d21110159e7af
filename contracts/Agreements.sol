// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Submissions} from "./Submissions.sol";

/// @title From the agreed set to the voted result
/// @notice A quorum signs one set before anything is opened, and votes for one result after.
abstract contract Agreements is Submissions {
    struct Dispute {
        address hospital;
        address node;
    }

    /// @dev What the review opened of a submission: balanced accuracy and reference in twentieths,
    /// rounded down (NOTHING_OPENED where they stayed closed), and the bits of Python's `Bits`.
    struct Figure {
        address hospital;
        uint8 balancedAccuracy;
        uint8 referenceAccuracy;
        uint8 bits;
    }

    /// @dev `opens`: a sum is opened. `keeps`: too few were accepted, so the round ends with the model
    /// that it began with. Neither: the attempt fails. `review` is the SHA-256 of all that the review
    /// opened, `flagged` names donors whose slices were set aside, `normBound` is the next round's
    /// bound on an update's norm in units of 2^-16 (0: as before).
    struct AgreedSet {
        bytes32 submissionsRoot;
        bool opens;
        bool keeps;
        address[] accepted;
        uint64[] weights;
        address[] refused;
        address[] rejected;
        address[] leftOut;
        Dispute[] disputes;
        bytes32 review;
        Figure[] figures;
        address[] flagged;
        uint64 normBound;
        string reason;
    }

    event SetSigned(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed node,
        uint32 attempt,
        bytes32 setHash,
        bool opens
    );
    event SetPublished(
        bytes32 indexed training, uint32 indexed round, uint32 indexed attempt, bytes32 setHash, bool opens
    );
    event SubmissionJudged(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        uint32 attempt,
        Verdict verdict,
        uint64 weight
    );
    event Reviewed(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        uint32 attempt,
        uint8 balancedAccuracy,
        uint8 referenceAccuracy,
        uint8 bits
    );
    event SliceFlagged(
        bytes32 indexed training, uint32 indexed round, address indexed hospital, uint32 attempt
    );
    event Disputed(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        uint32 attempt,
        address node
    );
    event Voted(
        bytes32 indexed training, uint32 indexed round, address indexed node, uint32 attempt, bytes32 resultHash
    );
    event Finalised(
        bytes32 indexed training, uint32 indexed round, uint32 indexed attempt, bytes32 resultHash
    );

    error AlreadyAgreed(address node);
    error AlreadyVoted(address node);
    error WrongSet(bytes32 expected, bytes32 actual);
    error WrongRoot(bytes32 expected, bytes32 actual);
    error NotSubmitted(address hospital);
    error LengthsDiffer(uint256 accepted, uint256 weights);

    /// @notice Sign the set of this attempt, once. A quorum of equal pairs settles it, and locks the
    /// round if the set opens a sum; a later signature is recorded and changes nothing.
    /// @param setHash sha256(abi.encode(training, round, attempt, set)).
    function agree(Key calldata key, bytes32 setHash, bool opens) external {
        Attempt storage attempt = _attempt(key);
        State state = attempt.state;
        if (state != State.Checking && state != State.Agreed) revert WrongState(State.Checking, state);
        if (state == State.Checking) _requireInTime(attempt);
        Seat storage seat = _requireIn(attempt, msg.sender);
        if (seat.setHash != 0) revert AlreadyAgreed(msg.sender);
        if (setHash == 0) revert EmptyHash();
        seat.setHash = setHash;
        seat.opens = opens;
        emit SetSigned(key.training, key.round, msg.sender, key.attempt, setHash, opens);
        uint256 equal = ++attempt.agreements[keccak256(abi.encode(setHash, opens))];
        if (state == State.Checking && equal == _trainings[key.training].quorum) {
            attempt.agreedHash = setHash;
            attempt.opens = opens;
            if (opens) _rounds[key.training][key.round].locked = true;
            _advance(key, State.Agreed);
        }
    }

    /// @notice Lay the agreed set open; anybody may, as its hash is agreed.
    function publishSet(Key calldata key, AgreedSet calldata set) external {
        Attempt storage attempt = _requireState(key, State.Agreed);
        bytes32 setHash = sha256(abi.encode(key.training, key.round, key.attempt, set));
        if (setHash != attempt.agreedHash || set.opens != attempt.opens) {
            revert WrongSet(attempt.agreedHash, setHash);
        }
        if (set.submissionsRoot != attempt.submissionsRoot) {
            revert WrongRoot(attempt.submissionsRoot, set.submissionsRoot);
        }
        if (set.accepted.length != set.weights.length) {
            revert LengthsDiffer(set.accepted.length, set.weights.length);
        }
        uint256 fewest = _trainings[key.training].fewestAccepted;
        if (set.opens && set.accepted.length < fewest) revert TooFew(fewest, set.accepted.length);
        emit SetPublished(key.training, key.round, key.attempt, setHash, set.opens);
        _judge(key, attempt, set);
        _show(key, attempt, set);
        _name(key, attempt, set);
        attempt.nextBound = set.normBound;
        if (set.opens && key.round == DONATION) _finalise(key, attempt, setHash);
        else if (set.opens) _advance(key, State.Voting);
        else if (set.keeps && key.round != 0 && key.round != DONATION) _finalise(key, attempt, attempt.modelIn);
        else _fail(key, set.reason);
    }

    /// @notice Vote for the hash of the result, once; a quorum of equal votes finalises.
    function vote(Key calldata key, bytes32 resultHash) external {
        Attempt storage attempt = _attempt(key);
        State state = attempt.state;
        if (state != State.Voting && state != State.Finalised) revert WrongState(State.Voting, state);
        Seat storage seat = _requireIn(attempt, msg.sender);
        if (seat.vote != 0) revert AlreadyVoted(msg.sender);
        if (resultHash == 0) revert EmptyHash();
        seat.vote = resultHash;
        emit Voted(key.training, key.round, msg.sender, key.attempt, resultHash);
        if (++attempt.votes[resultHash] == _trainings[key.training].quorum && state == State.Voting) {
            _finalise(key, attempt, resultHash);
        }
    }

    function _finalise(Key calldata key, Attempt storage attempt, bytes32 resultHash) private {
        Training storage training = _trainings[key.training];
        attempt.resultHash = resultHash;
        if (key.round == DONATION) {
            training.slices = resultHash;
        } else {
            if (key.round == 0) training.statistics = resultHash;
            else training.model = resultHash;
            training.nextRound = key.round + 1;
        }
        if (attempt.nextBound != 0) training.normBound = attempt.nextBound;
        emit Finalised(key.training, key.round, key.attempt, resultHash);
        _advance(key, State.Finalised);
    }

    function _judge(Key calldata key, Attempt storage attempt, AgreedSet calldata set) private {
        for (uint256 i = 0; i < set.accepted.length; ++i) {
            _setVerdict(key, attempt, set.accepted[i], Verdict.Accepted, set.weights[i]);
        }
        for (uint256 i = 0; i < set.refused.length; ++i) {
            _setVerdict(key, attempt, set.refused[i], Verdict.Refused, 0);
        }
        for (uint256 i = 0; i < set.rejected.length; ++i) {
            _setVerdict(key, attempt, set.rejected[i], Verdict.Rejected, 0);
        }
    }

    /// @dev Figures are of submissions; a slice's donor may have submitted nothing in this attempt.
    function _show(Key calldata key, Attempt storage attempt, AgreedSet calldata set) private {
        if (set.figures.length > MOST_HOSPITALS) revert TooMany(MOST_HOSPITALS, set.figures.length);
        for (uint256 i = 0; i < set.figures.length; ++i) {
            Figure calldata one = set.figures[i];
            if (attempt.submissions[one.hospital].samples == 0) revert NotSubmitted(one.hospital);
            emit Reviewed(
                key.training,
                key.round,
                one.hospital,
                key.attempt,
                one.balancedAccuracy,
                one.referenceAccuracy,
                one.bits
            );
        }
        if (set.flagged.length > MOST_HOSPITALS) revert TooMany(MOST_HOSPITALS, set.flagged.length);
        for (uint256 i = 0; i < set.flagged.length; ++i) {
            _requireMember(key.training, set.flagged[i], Member.Hospital);
            emit SliceFlagged(key.training, key.round, set.flagged[i], key.attempt);
        }
    }

    function _setVerdict(Key calldata key, Attempt storage attempt, address hospital, Verdict verdict, uint64 weight)
        private
    {
        Submission storage submission = attempt.submissions[hospital];
        if (submission.samples == 0) revert NotSubmitted(hospital);
        if (submission.verdict != Verdict.None) revert Twice(hospital);
        submission.verdict = verdict;
        submission.weight = weight;
        emit SubmissionJudged(key.training, key.round, hospital, key.attempt, verdict, weight);
    }

    function _name(Key calldata key, Attempt storage attempt, AgreedSet calldata set) private {
        if (set.disputes.length > MOST_HOSPITALS * MOST_NODES) {
            revert TooMany(MOST_HOSPITALS * MOST_NODES, set.disputes.length);
        }
        for (uint256 i = 0; i < set.disputes.length; ++i) {
            Dispute calldata one = set.disputes[i];
            _requireMember(key.training, one.hospital, Member.Hospital);
            _requireMember(key.training, one.node, Member.Node);
            emit Disputed(key.training, key.round, one.hospital, key.attempt, one.node);
        }
        if (set.leftOut.length > MOST_NODES) revert TooMany(MOST_NODES, set.leftOut.length);
        for (uint256 i = 0; i < set.leftOut.length; ++i) {
            _requireMember(key.training, set.leftOut[i], Member.Node);
            // One that is out already keeps the reason it was first left out for.
            if (attempt.seats[set.leftOut[i]].standing == Standing.In) {
                _leaveOut(key, set.leftOut[i], Standing.LeftOut);
            }
        }
    }
}
