// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title Who may do what
/// @notice Administrators grant and revoke every role but two: administrators themselves and the
/// set of nodes are changed by two of them together, and so is the policy.
abstract contract Roles is AccessControl {
    /// @notice Opens trainings and their attempts, closes their steps, anchors the audit log.
    bytes32 public constant COORDINATOR = keccak256("COORDINATOR");
    /// @notice Takes part in trainings as a hospital.
    bytes32 public constant HOSPITAL = keccak256("HOSPITAL");
    /// @notice Holds shares, tests and votes.
    bytes32 public constant NODE = keccak256("NODE");
    /// @notice Asks for, approves and opens sealed records.
    bytes32 public constant DOCTOR = keccak256("DOCTOR");
    /// @notice Reads everything that is public, and the audit log.
    bytes32 public constant AUDITOR = keccak256("AUDITOR");
    /// @notice May submit updates: a hospital can lose it and stay.
    bytes32 public constant SUBMITTER = keccak256("SUBMITTER");
    /// @notice May be handed a model.
    bytes32 public constant DOWNLOADER = keccak256("DOWNLOADER");

    uint256 private constant LEAST_ADMINISTRATORS = 2;

    /// @notice The federation's first coordinator, also an administrator.
    address public immutable founder;
    /// @notice The other administrator of its beginning.
    address public immutable cofounder;

    uint256 private _administrators;
    mapping(bytes32 action => address administrator) private _proposed;

    event Proposed(bytes32 indexed action, address indexed administrator, bytes call);
    event Withdrawn(bytes32 indexed action, address indexed administrator);
    event Decided(bytes32 indexed action, address indexed first, address indexed second);

    error AlreadyProposed(bytes32 action, address administrator);
    error NotProposed(bytes32 action, address administrator);
    error NeedsTwo(bytes32 role);
    error TooFewAdministrators(uint256 least);
    error Unchanged();

    /// @param first An administrator, also the coordinator.
    /// @param second Another administrator.
    constructor(address first, address second) {
        if (first == second || first == address(0) || second == address(0)) {
            revert TooFewAdministrators(LEAST_ADMINISTRATORS);
        }
        founder = first;
        cofounder = second;
        _grantRole(DEFAULT_ADMIN_ROLE, first);
        _grantRole(DEFAULT_ADMIN_ROLE, second);
        _grantRole(COORDINATOR, first);
    }

    /// @notice Make `account` an administrator, or no longer one: two administrators decide.
    function setAdministrator(address account, bool holds) external {
        if (hasRole(DEFAULT_ADMIN_ROLE, account) == holds) revert Unchanged();
        if (!_decidedByTwo()) return;
        if (holds) _grantRole(DEFAULT_ADMIN_ROLE, account);
        else _revokeRole(DEFAULT_ADMIN_ROLE, account);
    }

    /// @notice Take back what the sender proposed and nobody decided yet.
    /// @param action keccak256 of the proposed call's data.
    function withdraw(bytes32 action) external {
        if (_proposed[action] != msg.sender) revert NotProposed(action, msg.sender);
        delete _proposed[action];
        emit Withdrawn(action, msg.sender);
    }

    /// @notice Who proposed a call; nobody if it was not proposed, or is decided.
    function proposerOf(bytes32 action) external view returns (address) {
        return _proposed[action];
    }

    /// @inheritdoc AccessControl
    function grantRole(bytes32 role, address account) public override {
        _requireSingle(role);
        super.grantRole(role, account);
    }

    /// @inheritdoc AccessControl
    function revokeRole(bytes32 role, address account) public override {
        _requireSingle(role);
        super.revokeRole(role, account);
    }

    /// @dev The first administrator who calls proposes the call, the second one, with the very same
    /// data, decides. What somebody proposed who is no administrator any more counts for nothing.
    function _decidedByTwo() internal returns (bool) {
        _checkRole(DEFAULT_ADMIN_ROLE);
        bytes32 action = keccak256(msg.data);
        address first = _proposed[action];
        if (first == msg.sender) revert AlreadyProposed(action, first);
        if (first == address(0) || !hasRole(DEFAULT_ADMIN_ROLE, first)) {
            _proposed[action] = msg.sender;
            emit Proposed(action, msg.sender, msg.data);
            return false;
        }
        delete _proposed[action];
        emit Decided(action, first, msg.sender);
        return true;
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool granted) {
        granted = super._grantRole(role, account);
        if (granted && role == DEFAULT_ADMIN_ROLE) ++_administrators;
    }

    /// @dev Also behind `renounceRole`: a federation with one administrator could decide nothing.
    function _revokeRole(bytes32 role, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(role, account);
        if (revoked && role == DEFAULT_ADMIN_ROLE) {
            if (--_administrators < LEAST_ADMINISTRATORS) revert TooFewAdministrators(LEAST_ADMINISTRATORS);
        }
    }

    function _requireSingle(bytes32 role) private pure {
        if (role == DEFAULT_ADMIN_ROLE || role == NODE) revert NeedsTwo(role);
    }
}
