// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Permissions} from "./Permissions.sol";
import {Registry} from "./Registry.sol";

/// @title Openings of sealed patient records
/// @notice Who asked, approved, opened and erased, each with the record's digest; nothing of a
/// patient.
contract Records is Permissions {
    enum Stage {
        None,
        Requested,
        Opened,
        Ended
    }

    struct Opening {
        Stage stage;
        uint8 approvals;
        address doctor;
        bytes32 record;
    }

    uint256 private constant MOST_DOCTORS = 16;

    mapping(bytes32 record => uint8) private _quorums;
    mapping(bytes32 record => mapping(address doctor => bool)) private _cares;
    mapping(bytes32 id => Opening) private _openings;
    mapping(bytes32 id => mapping(address doctor => bool)) private _answered;
    mapping(bytes32 record => bool) private _erased;

    event Sealed(bytes32 indexed record, address indexed doctor, address[] doctors, uint8 quorum);
    event OpeningRequested(bytes32 indexed record, bytes32 indexed id, address indexed doctor, bytes32 reasonHash);
    event OpeningApproved(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event OpeningDeclined(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event EmergencyDeclared(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event RecordOpened(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event RecordClosed(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event OpeningWithdrawn(bytes32 indexed record, bytes32 indexed id, address indexed doctor);
    event RecordErased(bytes32 indexed record, address indexed doctor);

    error AlreadySealed(bytes32 record);
    error AlreadyErased(bytes32 record);
    error NotInCare(bytes32 record, address doctor);
    error WrongQuorum(uint8 quorum, uint256 doctors);
    error Twice(address doctor);
    error AlreadyRequested(bytes32 id);
    error WrongStage(Stage expected, Stage actual);
    error NotYours(address doctor, address sender);
    error NoQuorum(uint8 quorum, uint8 approvals);
    error EmptyHash();

    constructor(Registry registry_) Permissions(registry_) {}

    /// @notice Seal `record` among `doctors`, of whom the sender is one: `quorum` of them, a
    /// majority, open it.
    function seal(bytes32 record, address[] calldata doctors, uint8 quorum) external {
        if (record == 0) revert EmptyHash();
        if (_quorums[record] != 0) revert AlreadySealed(record);
        bool majority = 2 * uint256(quorum) > doctors.length && quorum <= doctors.length;
        if (!majority || quorum < 2 || doctors.length > MOST_DOCTORS) revert WrongQuorum(quorum, doctors.length);
        for (uint256 i = 0; i < doctors.length; ++i) {
            _requireRole(DOCTOR, doctors[i]);
            if (_cares[record][doctors[i]]) revert Twice(doctors[i]);
            _cares[record][doctors[i]] = true;
        }
        _requireCare(record, msg.sender);
        _quorums[record] = quorum;
        emit Sealed(record, msg.sender, doctors, quorum);
    }

    /// @notice Ask for `record` under the fresh identifier `id`; the sender counts as one approval.
    /// @param reasonHash Digest of the reason as it is sealed, or salted.
    function request(bytes32 record, bytes32 id, bytes32 reasonHash) external {
        _request(record, id, reasonHash, 1);
    }

    /// @notice Ask in an emergency: the administration's share counts as another approval.
    /// @dev Nobody but the sender says that it is one: hence an event of its own.
    function requestInEmergency(bytes32 record, bytes32 id, bytes32 reasonHash) external {
        _request(record, id, reasonHash, 2);
        emit EmergencyDeclared(record, id, msg.sender);
    }

    /// @notice Approve the request `id` as another doctor of the record's.
    function approve(bytes32 id) external {
        Opening storage opening = _answer(id);
        ++opening.approvals;
        emit OpeningApproved(opening.record, id, msg.sender);
    }

    /// @notice Say no to the request `id` as another doctor of the record's; others may approve.
    function decline(bytes32 id) external {
        emit OpeningDeclined(_answer(id).record, id, msg.sender);
    }

    /// @notice Open what the sender asked for, once a quorum approved.
    function open(bytes32 id) external {
        Opening storage opening = _requireStage(id, Stage.Requested);
        _requireOwn(opening);
        _requireRole(DOCTOR, msg.sender);
        uint8 quorum = _quorums[opening.record];
        if (opening.approvals < quorum) revert NoQuorum(quorum, opening.approvals);
        opening.stage = Stage.Opened;
        emit RecordOpened(opening.record, id, msg.sender);
    }

    /// @notice Close what the sender opened, or withdraw what the sender asked for.
    /// @dev Without a role: who is no doctor any more may still end what was begun.
    function close(bytes32 id) external {
        Opening storage opening = _openings[id];
        Stage stage = opening.stage;
        if (stage != Stage.Requested && stage != Stage.Opened) revert WrongStage(Stage.Opened, stage);
        _requireOwn(opening);
        opening.stage = Stage.Ended;
        if (stage == Stage.Opened) emit RecordClosed(opening.record, id, msg.sender);
        else emit OpeningWithdrawn(opening.record, id, msg.sender);
    }

    /// @notice Say, once, as one of its doctors that the shares of `record`'s key were destroyed.
    /// @dev Openings are not refused from here on: one of them would show that a key was kept.
    function erase(bytes32 record) external {
        _requireCare(record, msg.sender);
        if (_erased[record]) revert AlreadyErased(record);
        _erased[record] = true;
        emit RecordErased(record, msg.sender);
    }

    /// @notice Whether a doctor said that the key of `record` was destroyed.
    function isErased(bytes32 record) external view returns (bool) {
        return _erased[record];
    }

    /// @notice How many doctors open `record`; 0 if it was never sealed.
    function quorumOf(bytes32 record) external view returns (uint8) {
        return _quorums[record];
    }

    /// @notice How far the request `id` is.
    function openingOf(bytes32 id) external view returns (Opening memory) {
        return _openings[id];
    }

    function _request(bytes32 record, bytes32 id, bytes32 reasonHash, uint8 approvals) private {
        _requireCare(record, msg.sender);
        if (id == 0 || reasonHash == 0) revert EmptyHash();
        if (_openings[id].stage != Stage.None) revert AlreadyRequested(id);
        _openings[id] = Opening(Stage.Requested, approvals, msg.sender, record);
        _answered[id][msg.sender] = true;
        emit OpeningRequested(record, id, msg.sender, reasonHash);
    }

    /// @dev What the sender's answer is to, once for each doctor of the record's.
    function _answer(bytes32 id) private returns (Opening storage opening) {
        opening = _requireStage(id, Stage.Requested);
        _requireCare(opening.record, msg.sender);
        if (_answered[id][msg.sender]) revert Twice(msg.sender);
        _answered[id][msg.sender] = true;
    }

    function _requireOwn(Opening storage opening) private view {
        if (opening.doctor != msg.sender) revert NotYours(opening.doctor, msg.sender);
    }

    function _requireCare(bytes32 record, address doctor) private view {
        _requireRole(DOCTOR, doctor);
        if (!_cares[record][doctor]) revert NotInCare(record, doctor);
    }

    function _requireStage(bytes32 id, Stage expected) private view returns (Opening storage opening) {
        opening = _openings[id];
        if (opening.stage != expected) revert WrongStage(expected, opening.stage);
    }
}
