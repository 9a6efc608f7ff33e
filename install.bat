@echo off
rem Adds SVI to WanGP: install.bat [PATH] [options]     Help: install.bat --help
rem Finds a Python 3.10 or newer; the rest is svi_install\bootstrap.py.
rem No parenthesised blocks around paths: a ")" in a folder name would end them.
setlocal EnableExtensions DisableDelayedExpansion
set "svi_here=%~dp0"
set "svi_check=import sys; sys.exit(sys.version_info < (3, 10))"
set "svi_code=1"

rem The window stays open after a double click: Explorer starts that as cmd /c ""C:\...\install.bat" "
rem For a shortcut or a file dropped on this one, set SVI_INSTALL_HOLD=1.
set "svi_hold=%SVI_INSTALL_HOLD%"
setlocal EnableDelayedExpansion
set svi_mark=" "
set svi_tail=!CMDCMDLINE:~-3!
if !svi_tail!==!svi_mark! goto held
endlocal
goto search

:held
endlocal
set "svi_hold=1"

:search
if not defined SVI_INSTALL_PYTHON goto launcher
"%SVI_INSTALL_PYTHON%" -I -c "%svi_check%" >nul 2>&1
if errorlevel 1 goto launcher
"%SVI_INSTALL_PYTHON%" -I "%svi_here%svi_install\bootstrap.py" %*
goto finish

:launcher
py -3 -I -c "%svi_check%" >nul 2>&1
if errorlevel 1 goto python
py -3 -I "%svi_here%svi_install\bootstrap.py" %*
goto finish

:python
python -I -c "%svi_check%" >nul 2>&1
if errorlevel 1 goto python3
python -I "%svi_here%svi_install\bootstrap.py" %*
goto finish

:python3
python3 -I -c "%svi_check%" >nul 2>&1
if errorlevel 1 goto nothing
python3 -I "%svi_here%svi_install\bootstrap.py" %*
goto finish

:nothing
echo svi-install: no Python 3.10 or newer was found. Nothing was changed in WanGP. 1>&2
echo Install Python from https://www.python.org/downloads/ (tick "Add python.exe to PATH"), then run this again, 1>&2
echo or set SVI_INSTALL_PYTHON to the full path of a python.exe. 1>&2
goto end

:finish
set "svi_code=%ERRORLEVEL%"

:end
if defined svi_hold pause
exit /b %svi_code%
