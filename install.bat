@echo off
rem Adds SVI to WanGP: install.bat [PATH] [options]     Help: install.bat --help
rem Finds a Python 3.10 or newer; the rest is svi_install\bootstrap.py.
rem No parenthesised blocks around paths: a ")" in a folder name would end them.
setlocal EnableExtensions DisableDelayedExpansion
set "svi_here=%~dp0"
set "svi_check=import sys; sys.exit(sys.version_info < (3, 10))"
set "svi_code=1"

rem The window stays open after a double click: Explorer starts that as cmd /c ""C:\...\install.bat" "
rem For a shortcut, set SVI_INSTALL_HOLD=1. What else the command line says, bootstrap.py reads.
set "svi_hold=%SVI_INSTALL_HOLD%"
set "svi_menu="
set "SVI_INSTALL_STARTED="
setlocal EnableDelayedExpansion
set svi_mark=" "
set svi_tail=!CMDCMDLINE:~-3!
if !svi_tail!==!svi_mark! goto clicked
if not defined CMDCMDLINE goto typed
for /f "delims=" %%a in ("!CMDCMDLINE!") do endlocal& set "SVI_INSTALL_STARTED=%%a"
goto search

:typed
endlocal
goto search

:clicked
endlocal
set "svi_hold=1"
set "svi_menu=1"
set "SVI_INSTALL_STARTED=window"

:search
if not exist "%svi_here%svi_install\bootstrap.py" goto unpacked
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

:unpacked
echo svi-install: its other files are not beside install.bat. Nothing was changed in WanGP. 1>&2
echo Inside a ZIP file? Right-click it, choose "Extract All...", then start install.bat in the new folder. 1>&2
echo Is this folder's path longer than 230 characters? Move it nearer to the drive, such as C:\svi-install. 1>&2
if not "%~1"=="" if "%~2"=="" if exist "%~1" set "svi_hold=1"
goto end

:nothing
echo svi-install: no Python 3.10 or newer was found. Nothing was changed in WanGP. 1>&2
echo 1. Get one from https://www.python.org/downloads/ (tick "Add python.exe to PATH"), or type: 1>&2
echo        winget install -e --id Python.Python.3.12 1>&2
echo 2. Close this window and start install.bat again. 1>&2
echo If you have one elsewhere, set SVI_INSTALL_PYTHON to the full path of its python.exe. 1>&2
if not "%~1"=="" if "%~2"=="" if exist "%~1" set "svi_hold=1"
goto end

:finish
set "svi_code=%ERRORLEVEL%"

:end
rem The menu waits by itself.
if defined svi_menu if "%svi_code%"=="0" set "svi_hold="
if defined svi_hold pause
exit /b %svi_code%
