// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Attempts} from "./Attempts.sol";

/// @title From the nodes' commitments to the challenge
/// @notice Nodes commit to nonces before any submission and reveal them after the last, so that
/// nobody knows the challenge when it would help.
abstract contract Submissions is Attempts {
    /// @dev Length of an uncompressed P-256 point: 0x04, x, y.
    uint256 private constant POINT_LENGTH = 65;
    string private constant CHALLENGE_LABEL = "consilium/challenge/v1";

    event NodeJoined(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed node,
        uint32 attempt,
        bytes32 nonceCommitment,
        bytes receivingKey
    );
    event Submitted(
        bytes32 indexed training,
        uint32 indexed round,
        address indexed hospital,
        uint32 attempt,
        bytes32 shareRoot,
        bytes32 updateHash,
        uint32 samples
    );
    event NonceRevealed(
        bytes32 indexed training, uint32 indexed round, address indexed node, uint32 attempt, bytes32 nonce
    );
    event ChallengeDrawn(
        bytes32 indexed training, uint32 indexed round, uint32 indexed attempt, bytes32 challenge
    );

    error NotAPoint(uint256 length);
    error AlreadyJoined(address node);
    error NotYourself(address hospital, address sender);
    error NoSamples(address hospital);
    error AlreadySubmitted(address hospital);
    error NotIn(address node, Standing standing);
    error AlreadyRevealed(address node);
    error WrongNonce(address node, bytes32 commitment);

    /// @notice Take the sender's seat in an opened attempt.
    /// @param nonceCommitment sha256(abi.encode(training, round, attempt, node, nonce)).
    /// @param receivingKey P-256 key of this attempt alone, uncompressed.
    function join(Key calldata key, bytes32 nonceCommitment, bytes calldata receivingKey) external {
        _requireMember(key.training, msg.sender, Member.Node);
        _requireRole(NODE, msg.sender);
        Attempt storage attempt = _requireState(key, State.Opened);
        Seat storage seat = attempt.seats[msg.sender];
        if (seat.standing != Standing.Absent) revert AlreadyJoined(msg.sender);
        if (nonceCommitment == 0) revert EmptyHash();
        _requirePoint(receivingKey);
        seat.standing = Standing.In;
        seat.commitment = nonceCommitment;
        seat.receivingKey = receivingKey;
        ++attempt.joined;
        emit NodeJoined(key.training, key.round, msg.sender, key.attempt, nonceCommitment, receivingKey);
    }

    /// @notice Let hospitals submit, once a quorum of nodes joined; the others are left out.
    function callForSubmissions(Key calldata key) external onlyCoordinator {
        Attempt storage attempt = _requireState(key, State.Opened);
        _requireQuorum(key, attempt.joined);
        address[] storage nodes = _trainings[key.training].nodes;
        for (uint256 i = 0; i < nodes.length; ++i) {
            if (attempt.seats[nodes[i]].standing == Standing.Absent) {
                _leaveOut(key, nodes[i], Standing.NotJoined);
            }
        }
        _advance(key, State.Submitting);
    }

    /// @notice Submit as `hospital`, which must be the sender.
    /// @param shareRoot Merkle root of the digests of the shares.
    /// @param updateHash Salted SHA-256 of the update's hash.
    function submit(
        Key calldata key,
        address hospital,
        bytes32 shareRoot,
        bytes32 updateHash,
        uint32 samples
    ) external {
        if (msg.sender != hospital) revert NotYourself(hospital, msg.sender);
        _requireMember(key.training, hospital, Member.Hospital);
        _requireRole(SUBMITTER, hospital);
        Attempt storage attempt = _requireState(key, State.Submitting);
        if (samples == 0) revert NoSamples(hospital);
        if (shareRoot == 0 || updateHash == 0) revert EmptyHash();
        if (attempt.submissions[hospital].samples != 0) revert AlreadySubmitted(hospital);
        attempt.submissions[hospital] = Submission(shareRoot, updateHash, samples, Verdict.None, 0);
        attempt.submitters.push(hospital);
        attempt.submissionsRoot =
            sha256(abi.encode(attempt.submissionsRoot, hospital, shareRoot, updateHash, samples));
        emit Submitted(key.training, key.round, hospital, key.attempt, shareRoot, updateHash, samples);
    }

    /// @notice Take no more submissions; from here on the nodes reveal.
    function closeSubmissions(Key calldata key) external onlyCoordinator {
        Attempt storage attempt = _requireState(key, State.Submitting);
        uint256 count = attempt.submitters.length;
        uint256 least = _trainings[key.training].fewestAccepted;
        if (count < least) revert TooFew(least, count);
        _advance(key, State.Revealing);
    }

    /// @notice Reveal the nonce that the sender committed to.
    function reveal(Key calldata key, bytes32 nonce) external {
        Attempt storage attempt = _requireState(key, State.Revealing);
        Seat storage seat = _requireIn(attempt, msg.sender);
        if (seat.nonce != 0) revert AlreadyRevealed(msg.sender);
        bytes32 digest = sha256(abi.encode(key.training, key.round, key.attempt, msg.sender, nonce));
        // A zero nonce stands for an absent one in the challenge, so it cannot be revealed.
        if (nonce == 0 || digest != seat.commitment) revert WrongNonce(msg.sender, seat.commitment);
        seat.nonce = nonce;
        ++attempt.revealed;
        emit NonceRevealed(key.training, key.round, msg.sender, key.attempt, nonce);
    }

    /// @notice Draw the challenge, once a quorum revealed; nodes that withheld are left out.
    function closeReveals(Key calldata key) external onlyCoordinator {
        Attempt storage attempt = _requireState(key, State.Revealing);
        _requireQuorum(key, attempt.revealed);
        address[] storage nodes = _trainings[key.training].nodes;
        bytes32[] memory nonces = new bytes32[](nodes.length);
        for (uint256 i = 0; i < nodes.length; ++i) {
            Seat storage seat = attempt.seats[nodes[i]];
            nonces[i] = seat.nonce;
            if (seat.standing == Standing.In && seat.nonce == 0) {
                _leaveOut(key, nodes[i], Standing.Withheld);
            }
        }
        attempt.challenge = sha256(_challengeInput(key, attempt.submissionsRoot, nonces));
        emit ChallengeDrawn(key.training, key.round, key.attempt, attempt.challenge);
        _advance(key, State.Checking);
    }

    function _requireIn(Attempt storage attempt, address node) internal view returns (Seat storage seat) {
        seat = attempt.seats[node];
        if (seat.standing != Standing.In) revert NotIn(node, seat.standing);
        _requireRole(NODE, node);
    }

    /// @dev A shape check only: whether the point lies on the curve is checked by whoever uses it.
    function _requirePoint(bytes calldata key) private pure {
        if (key.length != POINT_LENGTH || key[0] != 0x04) revert NotAPoint(key.length);
    }

    function _requireQuorum(Key calldata key, uint256 count) private view {
        uint256 quorum = _trainings[key.training].quorum;
        if (count < quorum) revert TooFew(quorum, count);
    }

    function _challengeInput(Key calldata key, bytes32 root, bytes32[] memory nonces)
        private
        view
        returns (bytes memory)
    {
        return abi.encode(
            CHALLENGE_LABEL, block.chainid, address(this), key.training, key.round, key.attempt, root, nonces
        );
    }
}
