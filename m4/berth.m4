dnl SPDX-License-Identifier: Apache-2.0

dnl BERTH_TRY_CFLAG(VARIABLE, FLAG) - add FLAG to VARIABLE where the compiler takes it.
dnl The user's CFLAGS are only borrowed for the trial. (-Werror: clang merely warns of an option that it does not know.)
AC_DEFUN([BERTH_TRY_CFLAG], [
AS_VAR_PUSHDEF([flag_ok], [berth_cv_cflag_$2])
AC_CACHE_CHECK([whether $CC takes $2], [flag_ok], [
	berth_save_CFLAGS=$CFLAGS
	CFLAGS="-Werror $2"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([flag_ok], [yes])], [AS_VAR_SET([flag_ok], [no])])
	CFLAGS=$berth_save_CFLAGS
])
AS_VAR_IF([flag_ok], [yes], [AS_VAR_APPEND([$1], [" $2"])])
AS_VAR_POPDEF([flag_ok])
])

dnl BERTH_TRY_CFLAGS(VARIABLE, FLAG FLAG ...) - the same for each of them.
dnl The newline after the macro is needed: without it two expansions run into one shell line.
AC_DEFUN([BERTH_TRY_CFLAGS], [
m4_foreach_w([berth_flag], [$2], [BERTH_TRY_CFLAG([$1], berth_flag)
])
])

dnl BERTH_NEED_FLAGS(VARIABLE, FLAG FLAG ...) - set VARIABLE to them; configure ends where the compiler cannot link with them.
AC_DEFUN([BERTH_NEED_FLAGS], [
$1="$2"
AC_MSG_CHECKING([whether $CC takes $2])
berth_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror $2"
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
	[AC_MSG_RESULT([no])
	AC_MSG_ERROR([$CC cannot do what was asked for])])
CFLAGS=$berth_save_CFLAGS
])
